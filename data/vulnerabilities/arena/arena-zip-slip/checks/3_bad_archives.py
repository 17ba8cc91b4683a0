"""What is no plug-in is refused with InstallError, as before; the next one is installed."""

import zipfile
from pathlib import Path

from installer import InstallError, install


def refused(path):
    """Tell whether the installer refuses the archive."""
    try:
        install(path, "plugins")
    except InstallError:
        return True
    return False


Path("text.zip").write_text("no archive", encoding="utf-8")
assert refused("text.zip")
with zipfile.ZipFile("bare.zip", "w") as archive:
    archive.writestr("main.py", "")
assert refused("bare.zip")
with zipfile.ZipFile("broken.zip", "w") as archive:
    archive.writestr("plugin.json", "{")
assert refused("broken.zip")
with zipfile.ZipFile("empty.zip", "w"):
    pass
assert refused("empty.zip")
Path("cut.zip").write_bytes(Path("bare.zip").read_bytes()[:-5])
assert refused("cut.zip")
for manifest in ('{"name": "x"}', '{"name": 1, "version": "1"}'):
    with zipfile.ZipFile("lacking.zip", "w") as archive:
        archive.writestr("plugin.json", manifest)
    assert refused("lacking.zip"), manifest
with zipfile.ZipFile("good.zip", "w") as archive:
    archive.writestr("plugin.json", '{"name": "good", "version": "1"}')
    archive.writestr("empty.txt", "")
assert install("good.zip", "plugins").files == ("plugin.json", "empty.txt")
