"""A clean file moves to the public folder, byte for byte, and leaves the inbox."""

from pathlib import Path

from dropbox import Dropbox, Published

inbox, public = Path("inbox"), Path("public")
inbox.mkdir()
public.mkdir()
content = bytes(range(256)) * 40 + b"\r\n\xff"
seen = []
box = Dropbox(inbox, public, lambda scanned: seen.append(scanned) or True)
for name in ("photo 1.jpg", "empty", "größe.txt"):
    (inbox / name).write_bytes(b"" if name == "empty" else content)
    published = box.publish(name)
    assert published == Published(name, 0 if name == "empty" else len(content))
    assert (public / name).read_bytes() == (b"" if name == "empty" else content)
    assert not (inbox / name).exists()
assert content in seen
assert sorted(path.name for path in public.iterdir()) == ["empty", "größe.txt", "photo 1.jpg"]
