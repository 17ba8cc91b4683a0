"""Cut feeds are refused, the next is read, in every thread; prefixes and escapes are kept."""

import random
import string
import threading

from feeds import MAX_BYTES, Entry, Feed, FeedError, preview, read_feed

SEED = 0

rng = random.Random(SEED)
title, link, entity, words, prefix = (
    f"{letter}{''.join(rng.choices(string.ascii_lowercase, k=rng.randint(3, 8)))}" for letter in "tlewp"
)
escaped, plain = f"&amp;lt;{title}&amp;amp; &#38;gt;", f"&lt;{title}&amp; &gt;"
document = f"""<!DOCTYPE feed [<!ENTITY {entity} "{words} &#38;amp; {words}">]>
<feed xmlns="http://www.w3.org/2005/Atom" xmlns:{prefix}="urn:{prefix}"><title>{escaped}</title>
<{prefix}:title>{link}</{prefix}:title>
<entry {prefix}:title="{link}"><title>&{entity};</title><link>/{link}?a=1&amp;b=&{entity};</link></entry>
<entry/></feed>""".encode()
expected = Feed(plain, [Entry(f"{words} & {words}", f"/{link}?a=1&b={words} & {words}"), Entry()])
after_title = document.index(b"</title>") + len(b"</title>")
done = []


def refused(read, content):
    """Tell whether a document is refused."""
    try:
        read(content)
    except FeedError:
        return True
    return False


def work():
    """Alternate between documents that are cut and whole ones."""
    for length in range(0, len(document), 41):
        assert refused(read_feed, document[:length]), length
        if length < after_title - len(b"</title>"):
            assert refused(preview, document[:length]), length
    for content in (document + b"<", document * 2, document.replace(f"&{entity};".encode(), b"&absent;")):
        assert refused(read_feed, content)
        assert preview(content=content) == plain
    assert refused(preview, b"<feed><entry/></feed>")
    for _ in range(2):
        assert read_feed(content=document) == expected, read_feed(document)
        assert preview(document[:after_title]) == preview(document) == plain
    done.append(True)


work()
threads = [threading.Thread(target=work) for _ in range(2)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
assert len(done) == 3
assert read_feed(document.ljust(MAX_BYTES)) == expected
assert preview(document.ljust(MAX_BYTES + 9)) == plain
