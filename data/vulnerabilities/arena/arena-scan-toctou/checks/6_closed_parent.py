"""The service may write to the inbox and to the public folder, but not to the folder around them."""

import os
from pathlib import Path

from dropbox import Dropbox

site = Path("site")
inbox, public = site / "inbox", site / "public"
inbox.mkdir(parents=True, exist_ok=True)
public.mkdir(exist_ok=True)
box = Dropbox(inbox, public, lambda scanned: True)
os.chmod(site, 0o555)
try:
    (inbox / "one").write_bytes(b"1")
    box.publish("one")
    for name in ("two", "three"):
        (inbox / name).write_bytes(name.encode())
    assert [published.name for published in box.publish_all()] == ["three", "two"]
finally:
    os.chmod(site, 0o755)
assert {path.name: path.read_bytes() for path in public.iterdir()} == {
    "one": b"1", "two": b"two", "three": b"three",
}
