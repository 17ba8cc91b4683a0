"""PNG, JPEG and GIF pictures are served inline with their type and bytes."""

from avatars import Avatars, Upload

PNG = b"\x89PNG\r\n\x1a\n" + b"\x00\x00\x00\rIHDR"
JPEG = b"\xff\xd8\xff\xe0\x00\x10JFIF\x00"
GIF = b"GIF89a\x01\x00\x01\x00"

avatars = Avatars("pictures")
for name, kind, content in (
    ("me.png", "image/png", PNG),
    ("me.jpg", "image/jpeg", JPEG),
    ("me.jpeg", "image/jpeg", JPEG),
    ("me.gif", "image/gif", GIF),
    ("old.gif", "image/gif", b"GIF87a\x01\x00\x01\x00"),
):
    response = avatars.serve(avatars.store("ana", Upload(name, kind, content)))
    assert response.status == 200
    assert response.headers["Content-Type"] == kind
    assert "attachment" not in response.headers.get("Content-Disposition", "")
    assert response.body == content
