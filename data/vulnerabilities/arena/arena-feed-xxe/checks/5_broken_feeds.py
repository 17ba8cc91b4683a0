"""What is not well-formed, or too long, is a FeedError; the next feed is read all the same."""

from feeds import FeedError, preview, read_feed

for document in (b"", b"<feed>", b"<feed><a></b></feed>", b"<feed>&nothing;</feed>", b" " * 1_000_001):
    try:
        read_feed(document)
    except FeedError:
        continue
    raise AssertionError(document[:40])
for _ in range(3):
    for read in (read_feed, preview):
        try:
            read(b'<!DOCTYPE feed [<!ENTITY x SYSTEM "absent.txt">]><feed><title>&x;</title></feed>')
        except (FeedError, OSError, ValueError):
            pass
    inner = b'<!DOCTYPE feed [<!ENTITY x "in &amp; out">]><feed><title>&x;</title></feed>'
    assert read_feed(inner).title == preview(inner) == "in & out"
