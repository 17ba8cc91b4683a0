"""Feeds in UTF-16 and Latin-1 are read by their declaration."""

from feeds import preview, read_feed

for encoding in ("utf-16", "iso-8859-1", "utf-8"):
    document = f'<?xml version="1.0" encoding="{encoding}"?><feed><title>Größe</title></feed>'.encode(
        encoding
    )
    assert read_feed(document).title == "Größe", encoding
    assert preview(document) == "Größe", encoding
