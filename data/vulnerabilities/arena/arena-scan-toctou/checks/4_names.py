"""Missing files, hidden names, other folders, links and large files are a DropError."""

from pathlib import Path

from dropbox import MAX_BYTES, Dropbox, DropError

inbox, public = Path("inbox"), Path("public")
inbox.mkdir()
public.mkdir()
Path("outside.txt").write_text("outside", encoding="utf-8")
(inbox / ".hidden").write_text("hidden", encoding="utf-8")
(inbox / "link").symlink_to(Path("outside.txt").absolute())
(inbox / "folder").mkdir()
(inbox / "large").write_bytes(bytes(MAX_BYTES + 1))
box = Dropbox(inbox, public, lambda content: True)
for name in ("absent", ".hidden", "../outside.txt", "folder/x", "link", "folder", "large"):
    try:
        box.publish(name)
    except DropError:
        continue
    raise AssertionError(name)
assert list(public.iterdir()) == []
(inbox / "largest").write_bytes(bytes(MAX_BYTES))
assert box.publish("largest").size == MAX_BYTES
