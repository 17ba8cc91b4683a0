"""A picture that carries the extension of another picture format is still a picture."""

from avatars import Avatars, Upload

PNG = b"\x89PNG\r\n\x1a\n" + b"\x00\x00\x00\rIHDR"
JPEG = b"\xff\xd8\xff\xe0\x00\x10JFIF\x00"
GIF = b"GIF89a\x01\x00\x01\x00"

avatars = Avatars("renamed")
for name, kind, content in (
    ("photo.png", "image/png", JPEG),
    ("screenshot.JPG", "image/jpeg", PNG),
    ("wave.jpeg", "image/jpeg", GIF),
    ("photo.gif", "image/gif", JPEG),
):
    response = avatars.serve(avatars.store("ana", Upload(name, kind, content)))
    assert (response.status, response.body) == (200, content), name
    assert response.headers["Content-Type"] in ("image/png", "image/jpeg", "image/gif"), name
    assert "attachment" not in response.headers.get("Content-Disposition", ""), name
