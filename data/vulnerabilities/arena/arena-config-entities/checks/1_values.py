"""Texts and attributes are found by their path; the predefined entities and character references are read."""

from settings import read_settings

document = """<?xml version="1.0" encoding="utf-8"?>
<settings version="2">
  <mail><host> mx.example </host>
  <from name="Zoë &quot;Z&quot;">a&amp;b &lt;x&gt; &#8364;&#x41;&apos;</from></mail>
  <empty/>
</settings>"""
root = read_settings(document.encode())
assert (root.name, root.attributes) == ("settings", {"version": "2"})
assert root.value("mail/host") == "mx.example"
assert root.value("mail/from") == "a&b <x> €A'"
assert root.find("mail/from").attributes == {"name": 'Zoë "Z"'}
assert root.value("empty", "unset") == ""
assert root.value("mail/port", "25") == "25"
assert root.find("mail/nothing") is None
