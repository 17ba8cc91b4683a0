"""Pictures of the members: upload and download."""

import secrets
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

MAX_BYTES = 200_000

TYPES = {
    ".png": "image/png",
    ".jpg": "image/jpeg",
    ".jpeg": "image/jpeg",
    ".gif": "image/gif",
    ".svg": "image/svg+xml",
    ".html": "text/html",
    ".htm": "text/html",
    ".xhtml": "application/xhtml+xml",
    ".xml": "text/xml",
    ".js": "text/javascript",
    ".mjs": "text/javascript",
    ".css": "text/css",
}


class UploadError(ValueError):
    """An upload that is refused; the text is for the member."""


@dataclass(frozen=True)
class Upload:
    """A file as a browser sends it."""

    name: str
    kind: str
    content: bytes


@dataclass(frozen=True)
class Response:
    """What is served for a path."""

    status: int
    headers: dict = field(default_factory=dict)
    body: bytes = b""


def extension(name):
    """Return the extension of a file name in lower case, with its dot."""
    return PurePosixPath(name.replace("\\", "/")).suffix.lower()


class Avatars:
    """The pictures in a folder, one for each member."""

    def __init__(self, folder):
        self.folder = Path(folder)
        self.folder.mkdir(parents=True, exist_ok=True)
        self._names = {}

    def store(self, member, upload):
        """Store the picture of a member in place of an older one and return its path on the site."""
        if not upload.kind.startswith("image/"):
            raise UploadError("please choose a picture")
        if not 0 < len(upload.content) <= MAX_BYTES:
            raise UploadError(f"a picture has at most {MAX_BYTES} bytes")
        name = secrets.token_hex(8) + extension(upload.name)
        (self.folder / name).write_bytes(upload.content)
        older = self._names.get(member)
        if older:
            (self.folder / older).unlink(missing_ok=True)
        self._names[member] = name
        return f"/avatars/{name}"

    def serve(self, path):
        """Answer a request for a picture."""
        name = path.removeprefix("/avatars/")
        if name not in self._names.values():
            return Response(404)
        kind = TYPES.get(extension(name), "application/octet-stream")
        headers = {"Content-Type": kind, "Cache-Control": "max-age=3600"}
        return Response(200, headers, (self.folder / name).read_bytes())
