"""A plain document type, comments and CDATA sections do no harm, even when they speak of entities."""

from settings import read_settings

document = b"""<!DOCTYPE settings>
<settings><!-- <!ENTITY a "b"> --><note><![CDATA[<!ENTITY lol "&lol;"> & <!DOCTYPE x>]]></note></settings>"""
root = read_settings(document)
assert root.value("note") == '<!ENTITY lol "&lol;"> & <!DOCTYPE x>'
assert len(root.sections) == 1
