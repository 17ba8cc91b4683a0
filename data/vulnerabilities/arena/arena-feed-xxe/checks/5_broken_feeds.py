"""What is not well-formed, or too long, is a FeedError."""

from feeds import FeedError, read_feed

for document in (b"", b"<feed>", b"<feed><a></b></feed>", b"<feed>&nothing;</feed>", b" " * 1_000_001):
    try:
        read_feed(document)
    except FeedError:
        continue
    raise AssertionError(document[:40])
