"""Readers read, editors edit, admins see and change users."""

from news import Request, Site

site = Site()
assert site.handle(Request("GET", "/")).body == "Fair weather, Heavy snow"
assert site.handle(Request("GET", "/articles/2")).body == "Heavy snow"
for role in ("reader", "editor"):
    assert site.handle(Request("GET", "/admin/users", role)).status == 403
    assert site.handle(Request("PUT", "/admin/users/rob", role, body="admin")).status == 403
assert site.handle(Request("DELETE", "/articles/1", "reader")).status == 403
assert site.handle(Request("PUT", "/articles/1", "editor", body="Rain")).status == 204
assert site.handle(Request("DELETE", "/articles/2", "admin")).status == 204
assert site.articles == {"1": "Rain"}
assert site.handle(Request("GET", "/admin/users", "admin")).body == "ana: admin, ed: editor, rob: reader"
assert site.handle(Request("PUT", "/admin/users/rob", "admin", body="editor")).status == 204
assert site.users["rob"] == "editor"
