"""Broken, too long and too deep documents are a SettingsError, and do not spoil the next one."""

from settings import SettingsError, read_settings

for document in (
    b"",
    b"no xml",
    b"<a><b></a>",
    b"<a>&unknown;</a>",
    b"<a/>" + b" " * 64_000,
    b"<a>" * 25 + b"</a>" * 25,
):
    try:
        read_settings(document)
    except SettingsError:
        continue
    raise AssertionError(document[:40])
assert read_settings(b"<a>" * 20 + b"</a>" * 20).name == "a"
for _ in range(20):
    try:
        read_settings(b'<!DOCTYPE a [<!ENTITY b "bb"><!ENTITY c "&b;&b;">]><a d="&c;">&c;</a>')
    except SettingsError:
        pass
    root = read_settings("<a><b c='&lt;'>größe &amp; mehr</b></a>".encode())
    assert (root.value("b"), root.find("b").attributes) == ("größe & mehr", {"c": "<"})
