"""Routes and rights of a news site."""

import posixpath
import re
from dataclasses import dataclass, field
from urllib.parse import unquote

ADMIN_PREFIX = "/admin"
EDITING = ("PUT", "DELETE")


@dataclass
class Request:
    """A request; the names of the headers are in lower case."""

    method: str
    path: str
    role: str = "reader"
    headers: dict = field(default_factory=dict)
    body: str = ""


@dataclass(frozen=True)
class Response:
    """An answer."""

    status: int
    body: str = ""


def tidy(path):
    """Return the path decoded, in lower case, without empty or dotted parts or a last slash."""
    decoded = unquote(path).lower().replace("\\", "/")
    return posixpath.normpath("/" + decoded.lstrip("/"))


def chosen_method(request):
    """Return the method, which old clients name in a header of a POST."""
    override = request.headers.get("x-http-method-override", "").strip().upper()
    return override if request.method == "POST" and override else request.method


class Site:
    """Articles for everybody, editing for editors, users for admins."""

    def __init__(self):
        self.articles = {"1": "Fair weather", "2": "Heavy snow"}
        self.users = {"ana": "admin", "ed": "editor", "rob": "reader"}

    def allowed(self, role, method, path):
        """Tell whether the role may use the method on the path."""
        if path.startswith(ADMIN_PREFIX):
            return role == "admin"
        if method in EDITING:
            return role in ("editor", "admin")
        return True

    def handle(self, request):
        """Answer a request."""
        if not self.allowed(request.role, request.method, request.path):
            return Response(403, "you may not do this")
        return self.dispatch(chosen_method(request), tidy(request.path), request.body)

    def dispatch(self, method, path, body):
        """Serve a route."""
        if path == "/":
            return Response(200, ", ".join(self.articles.values()))
        if path == "/admin/users" and method == "GET":
            return Response(200, ", ".join(f"{name}: {role}" for name, role in self.users.items()))
        match = re.fullmatch(r"/admin/users/(\w+)", path)
        if match and method == "PUT":
            self.users[match[1]] = body
            return Response(204)
        match = re.fullmatch(r"/articles/(\d+)", path)
        if match:
            return self.article(method, match[1], body)
        return Response(404, "nothing here")

    def article(self, method, number, body):
        """Show, change or remove an article."""
        if method == "PUT":
            self.articles[number] = body
            return Response(204)
        if number not in self.articles:
            return Response(404, "no such article")
        if method == "GET":
            return Response(200, self.articles[number])
        if method == "DELETE":
            del self.articles[number]
            return Response(204)
        return Response(405, "this is not possible")
