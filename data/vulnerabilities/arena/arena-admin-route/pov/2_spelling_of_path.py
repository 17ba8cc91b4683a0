"""Capitals, escapes, dots and backslashes are put in order after the guard has looked."""

import sys

from news import Request, Site

PATHS = (
    "/Admin/users",
    "/%61dmin/users",
    "/./admin/users",
    "/articles/../admin/users",
    "/x/%2e%2e/ADMIN/users/",
    "\\admin\\users",
    "/%2Fadmin/users",
    "admin/users",
)

for path in PATHS:
    try:
        response = Site().handle(Request("GET", path))
    except (ValueError, PermissionError):
        continue
    if "ana: admin" in response.body:
        sys.exit(0)
sys.exit(1)
