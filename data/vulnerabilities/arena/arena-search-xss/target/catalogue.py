"""A small WSGI catalogue with a search page."""

from urllib.parse import parse_qs

PAGE_SIZE = 2

BOOKS = (
    "Algorithms of Oblivion",
    "Bread & Butter",
    "Cooking for Cats",
    "Dune Walks",
    "Gardens of Lisbon",
    "Knots and Splices",
    "Lisbon at Night",
    "The Lighthouse Keeper's Cat",
    "Cats of Rome",
)

PAGE = """<!doctype html>
<title>Catalogue</title>
<form action="/search"><input name="q" value="{value}"></form>
<h1>Results for {heading}</h1>
<ul>
{items}
</ul>
{more}"""


def search(words):
    """Return the titles that contain the words, in any case."""
    needle = words.strip().lower()
    return [title for title in BOOKS if needle in title.lower()]


def render_items(titles):
    """Return the titles as list items."""
    escaped = (title.replace("&", "&amp;") for title in titles)
    return "\n".join(f"<li>{title}</li>" for title in escaped)


def next_link(words, page, total):
    """Return a link to the next page, or nothing on the last one."""
    if (page + 1) * PAGE_SIZE >= total:
        return ""
    target = "+".join(words.split(" "))
    return f'<a href="/search?q={target}&amp;page={page + 1}">more</a>'


def search_page(words, page):
    """Return the HTML of one page of results."""
    titles = search(words)
    shown = titles[page * PAGE_SIZE : (page + 1) * PAGE_SIZE]
    return PAGE.format(
        value=words,
        heading=words or "everything",
        items=render_items(shown),
        more=next_link(words, page, len(titles)),
    )


def app(environ, start_response):
    """Serve /search."""
    if environ.get("PATH_INFO") != "/search":
        start_response("404 Not Found", [("Content-Type", "text/plain; charset=utf-8")])
        return [b"nothing here"]
    query = parse_qs(environ.get("QUERY_STRING", ""))
    words = query.get("q", [""])[0]
    page = query.get("page", ["0"])[0]
    page = int(page) if page.isdecimal() else 0
    body = search_page(words, page).encode()
    start_response("200 OK", [("Content-Type", "text/html; charset=utf-8")])
    return [body]
