"""What is no plug-in is refused with InstallError, as before."""

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
