"""An editor becomes an admin by an override on an untidy path."""

import sys

from news import Request, Site

site = Site()
for path in ("//admin/users/ed", "/articles/..//admin/users/ed", "/ADMIN/users/ed"):
    for method, headers in (("POST", {"x-http-method-override": "PUT"}), ("PUT", {})):
        try:
            site.handle(Request(method, path, "editor", headers, "admin"))
        except (ValueError, PermissionError):
            continue
sys.exit(0 if site.users["ed"] == "admin" else 1)
