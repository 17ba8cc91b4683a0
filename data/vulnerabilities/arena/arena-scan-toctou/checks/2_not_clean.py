"""What the scanner refuses stays in the inbox and does not reach the public folder."""

from pathlib import Path

from dropbox import Dropbox, DropError

inbox, public = Path("inbox"), Path("public")
inbox.mkdir()
public.mkdir()
(inbox / "bad.bin").write_bytes(b"x VIRUS y")
box = Dropbox(inbox, public, lambda content: b"VIRUS" not in content)
try:
    box.publish("bad.bin")
except DropError as error:
    assert "clean" in str(error)
else:
    raise AssertionError("a file with a virus is published")
assert (inbox / "bad.bin").read_bytes() == b"x VIRUS y"
assert list(public.iterdir()) == []
