"""A second slash in front hides the path from the guard."""

import sys

from news import Request, Site

try:
    response = Site().handle(Request("GET", "//admin/users"))
except (ValueError, PermissionError):
    sys.exit(1)
sys.exit(0 if "ana: admin" in response.body else 1)
