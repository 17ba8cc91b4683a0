"""Sessions and login of a shop."""

import hashlib
import hmac
import secrets
from dataclasses import dataclass, field


@dataclass
class Request:
    """What a browser sends."""

    path: str
    cookies: dict = field(default_factory=dict)
    query: dict = field(default_factory=dict)
    form: dict = field(default_factory=dict)


@dataclass
class Response:
    """What the browser gets; cookies are those to set."""

    status: int
    body: str = ""
    cookies: dict = field(default_factory=dict)


class Shop:
    """A shop with a basket for every visitor and accounts for some."""

    def __init__(self, passwords):
        self._salt = secrets.token_bytes(16)
        self._hashes = {name: self._hash(password) for name, password in passwords.items()}
        self._sessions = {}

    def _hash(self, password):
        return hashlib.pbkdf2_hmac("sha256", password.encode(), self._salt, 100)

    def _open_session(self, request):
        """Return the id of the visitor's session and the session itself."""
        session_id = request.cookies.get("sid") or request.query.get("sid") or secrets.token_urlsafe(16)
        session = self._sessions.setdefault(session_id, {"user": None, "basket": []})
        return session_id, session

    def handle(self, request):
        """Answer a request."""
        session_id, session = self._open_session(request)
        handler = {
            "/": self.front_page,
            "/add": self.add,
            "/basket": self.basket,
            "/login": self.login,
            "/logout": self.logout,
            "/account": self.account,
        }.get(request.path)
        if handler is None:
            return Response(404, "nothing here")
        response = handler(request, session_id, session)
        response.cookies.setdefault("sid", session_id)
        return response

    def front_page(self, request, session_id, session):
        """Welcome the visitor."""
        return Response(200, f"Welcome {session['user'] or 'guest'}")

    def add(self, request, session_id, session):
        """Put an article into the basket."""
        article = request.form.get("article", "")
        if not article:
            return Response(400, "which article?")
        session["basket"].append(article)
        return Response(303)

    def basket(self, request, session_id, session):
        """Show the basket."""
        return Response(200, ", ".join(session["basket"]))

    def login(self, request, session_id, session):
        """Log the visitor in."""
        name, password = request.form.get("name", ""), request.form.get("password", "")
        if not hmac.compare_digest(self._hashes.get(name, b""), self._hash(password)):
            return Response(401, "wrong name or password")
        session["user"] = name
        return Response(303)

    def logout(self, request, session_id, session):
        """End the session."""
        del self._sessions[session_id]
        return Response(303, cookies={"sid": ""})

    def account(self, request, session_id, session):
        """Show the account of a visitor who has logged in."""
        if session["user"] is None:
            return Response(401, "please log in")
        return Response(200, f"account of {session['user']}")
