"""Pages and articles that do not exist are 404 for every role."""

from news import Request, Site

site = Site()
for role in ("reader", "editor", "admin"):
    assert site.handle(Request("GET", "/articles/9", role)).status == 404
    assert site.handle(Request("GET", "/about", role)).status == 404
    assert site.handle(Request("GET", "/articles/admin", role)).status == 404
    assert site.handle(Request("GET", "/about/admin/users", role)).status == 404
assert site.handle(Request("POST", "/articles/1")).status == 405
assert site.handle(Request("DELETE", "/articles/9", "editor")).status == 404
