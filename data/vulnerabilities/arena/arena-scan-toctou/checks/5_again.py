"""A scan that fails publishes nothing; after a refusal the next file is published, in every thread."""

import random
import string
import threading
from pathlib import Path

from dropbox import MAX_BYTES, Dropbox, DropError, Published

SEED = 0

rng = random.Random(SEED)
first, second, words = ("".join(rng.choices(string.ascii_lowercase, k=rng.randint(4, 9))) for _ in range(3))
first, second, words = f"a{first}", f"b{second}", words.encode()
done = []


class ScannerDown(Exception):
    """The scanner cannot be reached."""


def state(folder):
    """Return the names and sizes in a folder."""
    return sorted((path.name, path.lstat().st_size) for path in folder.iterdir())


def work(name):
    """Alternate between files that are refused and others."""
    inbox, public, down = Path(name, "inbox"), Path(name, "public"), [True]
    inbox.mkdir(parents=True)
    public.mkdir()

    def is_clean(content):
        if down[0]:
            raise ScannerDown
        return True

    box = Dropbox(inbox=str(inbox), public=str(public), is_clean=is_clean)
    for path in (inbox / first, inbox / second):
        path.write_bytes(words)
    before = state(inbox)
    for operation, arguments in ((box.publish, (first,)), (box.publish_all, ())):
        try:
            operation(*arguments)
        except (ScannerDown, DropError):
            assert (state(inbox), state(public)) == (before, [])
            continue
        raise AssertionError("a file that nobody scanned is published")
    down[0] = False
    for refused in ("", ".", "..", f"../{first}", f"{first}/x", "absent"):
        try:
            box.publish(refused)
        except DropError:
            continue
        raise AssertionError(refused)
    for bad in (".hidden", "c-folder", "c-large", "c-link"):
        path = inbox / bad
        if bad == "c-folder":
            path.mkdir()
        elif bad == "c-link":
            path.symlink_to(first)
        else:
            path.write_bytes(bytes(MAX_BYTES + 1) if bad == "c-large" else words)
        before = state(inbox)
        try:
            box.publish_all()
        except DropError:
            assert (state(inbox), state(public)) == (before, []), bad
        else:
            raise AssertionError(bad)
        if bad == "c-folder":
            path.rmdir()
        else:
            path.unlink()
    assert box.publish(name=second) == Published(second, len(words))
    (inbox / second).write_bytes(words[:-1])
    assert box.publish_all() == [Published(first, len(words)), Published(second, len(words) - 1)]
    assert (state(inbox), (public / second).read_bytes()) == ([], words[:-1])
    done.append(name)


work("one")
threads = [threading.Thread(target=work, args=(name,)) for name in ("two", "three")]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
assert sorted(done) == ["one", "three", "two"]
