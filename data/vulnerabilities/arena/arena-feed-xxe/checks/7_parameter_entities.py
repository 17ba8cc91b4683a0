"""A feed defines an entity by a parameter entity of its own, and uses it."""

from feeds import Entry, Feed, read_feed

document = """<?xml version="1.0"?>
<!DOCTYPE feed [<!ENTITY % names "<!ENTITY garden 'Sea garden'>"> %names;]>
<feed><title>The &garden;</title>
<entry><title>A &garden; &amp; more</title><link>https://a.example/</link></entry>
</feed>"""
assert read_feed(document.encode()) == Feed(
    "The Sea garden", [Entry("A Sea garden & more", "https://a.example/")]
)
