"""Another path is 404 and an odd page number reads as the first page."""

from catalogue import app


def get(path, query):
    """Return status, content type and body."""
    seen = []
    body = b"".join(app({"PATH_INFO": path, "QUERY_STRING": query}, lambda *answer: seen.extend(answer)))
    return seen[0], dict(seen[1])["Content-Type"], body.decode()


assert get("/admin", "")[0] == "404 Not Found"
status, kind, page = get("/search", "q=cat&page=-1")
assert (status, kind) == ("200 OK", "text/html; charset=utf-8")
assert "<li>Cooking for Cats</li>" in page
