"""A document type and entities with a text of their own work, in the import and in the preview."""

from feeds import preview, read_feed

document = """<!DOCTYPE feed [
  <!ELEMENT feed (title)>
  <!ENTITY company "Sea &amp; Sons">
  <!ENTITY motto 'by &company;'>
]>
<feed><title>&company; &motto;</title></feed>"""
assert read_feed(document.encode()).title == "Sea & Sons by Sea & Sons"
assert preview(document.encode()) == "Sea & Sons by Sea & Sons"
assert preview(b"<!DOCTYPE feed><feed><title>plain</title></feed>") == "plain"
