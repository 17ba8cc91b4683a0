"""Broken, too long and too deep documents are a SettingsError."""

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
