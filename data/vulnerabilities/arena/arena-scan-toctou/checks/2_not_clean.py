"""What the scanner refuses stays in the inbox; the public folder keeps what it has."""

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
(inbox / "good.bin").write_bytes(b"good")
assert box.publish("good.bin").size == 4
(inbox / "good.bin").write_bytes(b"now a VIRUS")
for operation, arguments in ((box.publish, ("good.bin",)), (box.publish_all, ())):
    try:
        operation(*arguments)
    except DropError:
        pass
    else:
        raise AssertionError("a file with a virus replaces a clean one")
    assert (public / "good.bin").read_bytes() == b"good"
(inbox / "good.bin").write_bytes(b"better")
assert box.publish("good.bin").size == 6
assert (public / "good.bin").read_bytes() == b"better"
