"""A batch moves all files, or none if one of them is not clean."""

from pathlib import Path

from dropbox import Dropbox, DropError, Published

inbox, public = Path("inbox"), Path("public")
inbox.mkdir()
public.mkdir()
box = Dropbox(inbox, public, lambda content: b"VIRUS" not in content)
assert box.publish_all() == []
for name, content in (("b", b"22"), ("a", b"1"), ("z", b"a VIRUS")):
    (inbox / name).write_bytes(content)
try:
    box.publish_all()
except DropError:
    pass
else:
    raise AssertionError("a batch with a virus is published")
assert list(public.iterdir()) == []
assert sorted(path.name for path in inbox.iterdir()) == ["a", "b", "z"]
(inbox / "z").unlink()
assert box.publish_all() == [Published("a", 1), Published("b", 2)]
assert (public / "b").read_bytes() == b"22"
assert list(inbox.iterdir()) == []
