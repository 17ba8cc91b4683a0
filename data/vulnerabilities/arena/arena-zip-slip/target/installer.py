"""Install plug-ins from uploaded zip archives."""

import json
import shutil
import zipfile
from dataclasses import dataclass
from pathlib import Path

MANIFEST = "plugin.json"
MAX_MEMBERS = 500


class InstallError(Exception):
    """An archive that cannot be installed."""


@dataclass(frozen=True)
class Plugin:
    """What the manifest of an installed plug-in says."""

    name: str
    version: str
    folder: Path
    files: tuple[str, ...]


def read_manifest(archive):
    """Return the manifest of an open archive as a dictionary."""
    try:
        manifest = json.loads(archive.read(MANIFEST))
    except KeyError:
        raise InstallError(f"the archive holds no {MANIFEST}") from None
    except ValueError as error:
        raise InstallError(f"{MANIFEST} is not JSON: {error}") from None
    for key in ("name", "version"):
        if not isinstance(manifest.get(key), str):
            raise InstallError(f"{MANIFEST} lacks {key!r}")
    return manifest


def unpack(archive, folder):
    """Write the members of an open archive below folder and return their names."""
    written = []
    for member in archive.infolist():
        destination = folder / member.filename
        if member.is_dir():
            destination.mkdir(parents=True, exist_ok=True)
            continue
        destination.parent.mkdir(parents=True, exist_ok=True)
        with archive.open(member) as source, destination.open("wb") as sink:
            shutil.copyfileobj(source, sink)
        written.append(member.filename)
    return tuple(written)


def install(path, plugins):
    """Unpack the archive at path into its own folder below plugins."""
    try:
        archive = zipfile.ZipFile(path)
    except zipfile.BadZipFile as error:
        raise InstallError(f"not a zip archive: {error}") from None
    with archive:
        if len(archive.infolist()) > MAX_MEMBERS:
            raise InstallError(f"more than {MAX_MEMBERS} members")
        manifest = read_manifest(archive)
        folder = Path(plugins) / manifest["name"].lower().replace("/", "-").replace(".", "-")
        folder.mkdir(parents=True, exist_ok=True)
        files = unpack(archive, folder)
    return Plugin(manifest["name"], manifest["version"], folder, files)
