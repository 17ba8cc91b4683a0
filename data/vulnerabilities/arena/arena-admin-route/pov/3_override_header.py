"""A POST that the header turns into a DELETE is checked as a POST."""

import sys

from news import Request, Site

site = Site()
for override in ("DELETE", "delete", " Put "):
    request = Request("POST", "/articles/1", "reader", {"x-http-method-override": override}, "defaced")
    try:
        site.handle(request)
    except (ValueError, PermissionError):
        continue
sys.exit(0 if site.articles.get("1") != "Fair weather" else 1)
