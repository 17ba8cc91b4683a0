"""What is declared as something else, is empty or too large is refused."""

from avatars import Avatars, Upload, UploadError

avatars = Avatars("pictures")
for upload in (
    Upload("cv.pdf", "application/pdf", b"%PDF"),
    Upload("me.png", "text/html", b"\x89PNG\r\n\x1a\n"),
    Upload("me.png", "image/png", b""),
    Upload("me.png", "image/png", b"\x89PNG\r\n\x1a\n" + bytes(200_000)),
):
    try:
        avatars.store("ana", upload)
    except UploadError:
        continue
    raise AssertionError(upload.name)
assert not list(avatars.folder.iterdir())
