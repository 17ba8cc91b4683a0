"""A document type that names a file elsewhere declares nothing itself: the settings are read."""

from settings import read_settings

BODY = '<settings version="2"><mail><host>a&amp;b &#8364;</host></mail></settings>'
for document_type in (
    '<!DOCTYPE settings SYSTEM "settings.dtd">',
    "<!DOCTYPE settings SYSTEM 'https://dtd.example/settings.dtd'>",
    '<!DOCTYPE settings PUBLIC "-//Example//DTD Settings 1.0//EN" "settings.dtd">',
):
    for head in ("", '<?xml version="1.0" encoding="utf-8"?>\n'):
        root = read_settings(f"{head}{document_type}\n{BODY}".encode())
        assert (root.name, root.attributes) == ("settings", {"version": "2"})
        assert root.value("mail/host") == "a&b €", document_type
