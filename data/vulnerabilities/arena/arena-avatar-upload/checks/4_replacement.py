"""A new picture replaces the member's older one, a refused one does not; foreign paths are 404."""

from avatars import Avatars, Upload, UploadError

GIF = b"GIF89a\x01\x00\x01\x00"

avatars = Avatars("deep/pictures")
first = avatars.store("ana", Upload("a.gif", "image/gif", GIF))
other = avatars.store("bob", Upload("b.gif", "image/gif", GIF + b"b"))
second = avatars.store("ana", Upload("c.gif", "image/gif", GIF + b"c"))
assert avatars.serve(first).status == 404
assert avatars.serve(second).body == GIF + b"c"
assert avatars.serve(other).body == GIF + b"b"
assert len(list(avatars.folder.iterdir())) == 2
assert avatars.serve("/avatars/../secret").status == 404
assert avatars.serve(second).headers["Cache-Control"] == "max-age=3600"
try:
    avatars.store("bob", Upload("b.html", "image/png", b"<p>"))
except UploadError:
    assert avatars.serve(other).body == GIF + b"b"
    assert len(list(avatars.folder.iterdir())) == 2
try:
    avatars.store("bob", Upload("b.gif", "text/plain", GIF))
except UploadError:
    pass
third = avatars.store("bob", Upload("d.gif", "image/gif", GIF + b"d"))
assert avatars.serve(third).body == GIF + b"d"
