"""Capitals, several dots, blanks, umlauts and folders in the name are no obstacle."""

from avatars import Avatars, Upload

PNG = b"\x89PNG\r\n\x1a\n" + b"\x00\x00\x00\rIHDR"
JPEG = b"\xff\xd8\xff\xe1\x00\x18Exif\x00"

avatars = Avatars("pictures")
for name, kind, content in (
    ("IMG_2041.JPG", "image/jpeg", JPEG),
    ("my.html.page.png", "image/png", PNG),
    ("über mich (2).Png", "image/png", PNG),
    ("C:\\Users\\ana\\me.jpeg", "image/jpeg", JPEG),
    ("svg-and-js.png", "image/png", PNG),
):
    path = avatars.store("ana", Upload(name, kind, content))
    response = avatars.serve(path)
    assert (response.status, response.headers["Content-Type"]) == (200, kind), name
