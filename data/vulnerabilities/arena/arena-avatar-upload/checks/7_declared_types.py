"""Pictures are also taken under the other names of their types that programs and older browsers declare."""

from avatars import Avatars, Upload

PNG = b"\x89PNG\r\n\x1a\n" + b"\x00\x00\x00\rIHDR"
JPEG = b"\xff\xd8\xff\xe0\x00\x10JFIF\x00"

avatars = Avatars("declared")
for name, declared, served, content in (
    ("me.jpg", "image/jpg", "image/jpeg", JPEG),
    ("me.jpeg", "image/pjpeg", "image/jpeg", JPEG),
    ("me.png", "image/x-png", "image/png", PNG),
):
    response = avatars.serve(avatars.store("ana", Upload(name, declared, content)))
    assert (response.status, response.headers["Content-Type"]) == (200, served), declared
    assert "attachment" not in response.headers.get("Content-Disposition", ""), declared
    assert response.body == content, declared
