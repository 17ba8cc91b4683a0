"""The override header works for a POST of those who may, and only for a POST."""

from news import Request, Site

site = Site()
header = {"x-http-method-override": "put"}
assert site.handle(Request("POST", "/articles/3", "editor", header, "Sun")).status == 204
assert site.articles["3"] == "Sun"
assert (
    site.handle(Request("GET", "/articles/3", "reader", {"x-http-method-override": "DELETE"})).body == "Sun"
)
assert (
    site.handle(Request("POST", "/articles/3", "editor", {"x-http-method-override": " Delete "})).status
    == 204
)
assert "3" not in site.articles
assert site.handle(Request("POST", "/admin/users/rob", "admin", header, "editor")).status == 204
assert site.handle(Request("POST", "/articles/1", "reader", {"x-http-method-override": ""})).status == 405
assert site.handle(Request("POST", "/articles/1", "reader", {"x-http-method-override": "GET"})).status == 200
