"""Untidy paths lead to the page, for everybody where everybody may, for admins everywhere."""

from news import Request, Site

site = Site()
for path in (
    "//articles/1",
    "/Articles/1/",
    "/%61rticles/1",
    "/x/../articles/./1",
    "articles/1",
    "\\articles\\1",
):
    assert site.handle(Request("GET", path)).body == "Fair weather", path
for path in ("//admin/users", "/Admin/Users", "/articles/../admin/users/", "/%61dmin/users"):
    assert site.handle(Request("GET", path, "admin")).status == 200, path
assert site.handle(Request("DELETE", "//articles//1", "editor")).status == 204
