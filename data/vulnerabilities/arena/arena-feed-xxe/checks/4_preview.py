"""The preview stops at the title: what follows is not looked at; without title it is an error."""

from feeds import FeedError, preview

assert preview(b"<feed><title>first</title><entry></broken>") == "first"
for document in (b"", b"<feed>", b"<feed></feed>", b"no xml", b"<feed><title>x</feed>"):
    try:
        preview(document)
    except FeedError:
        continue
    raise AssertionError(document)
