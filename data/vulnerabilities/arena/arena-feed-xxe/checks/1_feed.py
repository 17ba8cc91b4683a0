"""A feed has a title and entries with title and link; unknown elements are passed over."""

from feeds import Entry, Feed, read_feed

document = """<?xml version="1.0"?>
<feed><title> Sea &amp; Garden </title><id>7</id>
<entry><title>Zoë&#8217;s boat</title><link>https://a.example/?x=1&amp;y=2</link></entry>
<entry><title><![CDATA[<b>SYSTEM</b> & more]]></title></entry>
</feed>"""
assert read_feed(document.encode()) == Feed(
    "Sea & Garden",
    [Entry("Zoë’s boat", "https://a.example/?x=1&y=2"), Entry("<b>SYSTEM</b> & more", "")],
)
assert read_feed(b"<feed/>") == Feed()
