"""A refusal changes nothing and is forgotten: the next request of whoever may is answered, in any order of requests."""

from news import Request, Site

site = Site()
articles, users = dict(site.articles), dict(site.users)
for request, status in (
    (Request("GET", "/admin/users"), 403),
    (Request("PUT", "/admin/users/rob", body="admin"), 403),
    (Request("GET", "/admin"), 403),
    (Request("DELETE", "/articles/1"), 403),
    (Request("PUT", "/articles/3", body="x"), 403),
    (Request("GET", ""), 200),
    (Request("GET", "/articles/"), 404),
    (Request("GET", "/articles/x"), 404),
    (Request("GET", "/admin/users", "editor"), 403),
    (Request("PUT", "/admin/users/", "admin", body="x"), 404),
    (Request("DELETE", "/admin/users/rob", "admin"), 404),
):
    for _ in range(2):
        assert site.handle(request).status == status, request
assert (site.articles, site.users) == (articles, users)
assert site.handle(Request("GET", "/admin/users", "admin")).body == "ana: admin, ed: editor, rob: reader"
assert site.handle(Request(method="PUT", path="/articles/3", role="editor", headers={}, body="")).status == 204
assert site.handle(Request("GET", "/articles/3")).body == ""
assert site.handle(Request("DELETE", "/articles/3", "admin", {"x-http-method-override": "GET"})).status == 204
assert site.handle(Request("PUT", "/admin/users/zoe_1", "admin", body="reader")).status == 204
assert list(site.users) == ["ana", "ed", "rob", "zoe_1"]
assert site.handle(Request("GET", "/administration")).status in (403, 404)
assert site.handle(Request("PATCH", "/articles/1")).status in (403, 405)
assert Site().articles == articles
