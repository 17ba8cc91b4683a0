"""Methods that change nothing need no right: readers get the answers that they got."""

from news import Request, Site

for role in ("reader", "editor", "admin"):
    site = Site()
    for method in ("HEAD", "OPTIONS", "PATCH"):
        assert site.handle(Request(method, "/", role)).status == 200, (role, method)
        assert site.handle(Request(method, "/articles/1", role)).status == 405, (role, method)
        assert site.handle(Request(method, "/articles/9", role)).status == 404, (role, method)
    override = {"x-http-method-override": "patch"}
    assert site.handle(Request("POST", "/articles/2", role, override)).status == 405, role
    assert site.articles == {"1": "Fair weather", "2": "Heavy snow"}, role
