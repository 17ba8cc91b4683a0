"""Restore backups from tar archives."""

import os
import shutil
import tarfile
from dataclasses import dataclass, field
from pathlib import Path


class RestoreError(Exception):
    """A backup that cannot be restored."""


@dataclass
class Report:
    """What a restore has written, by kind."""

    folders: list = field(default_factory=list)
    files: list = field(default_factory=list)
    links: list = field(default_factory=list)


def place(folder, name):
    """Return where the member of that name belongs below the folder."""
    parts = [part for part in name.split("/") if part not in ("", ".")]
    if not parts or ".." in parts or name.startswith("/"):
        raise RestoreError(f"bad member name {name!r}")
    return folder.joinpath(*parts)


def write_file(archive, member, destination):
    """Write the content of a regular file and its permissions."""
    with archive.extractfile(member) as source, destination.open("wb") as sink:
        shutil.copyfileobj(source, sink)
    destination.chmod(member.mode & 0o777)


def make_link(folder, member, destination):
    """Recreate a symbolic or hard link in place of what was there."""
    destination.unlink(missing_ok=True)
    if member.issym():
        destination.symlink_to(member.linkname)
    else:
        os.link(folder / member.linkname, destination)


def restore(path, folder):
    """Restore the archive at path below the folder and return a report."""
    report = Report()
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    with tarfile.open(path) as archive:
        for member in archive:
            destination = place(folder, member.name)
            destination.parent.mkdir(parents=True, exist_ok=True)
            if member.isdir():
                destination.mkdir(exist_ok=True)
                report.folders.append(member.name)
            elif member.isreg():
                write_file(archive, member, destination)
                report.files.append(member.name)
            elif member.issym() or member.islnk():
                make_link(folder, member, destination)
                report.links.append(member.name)
            else:
                raise RestoreError(f"{member.name!r} is neither file, folder nor link")
    return report
