"""After refused, cut and empty backups the next is restored, compressed or not, in every thread."""

import io
import random
import string
import tarfile
import threading
from pathlib import Path

from restore import Report, RestoreError, restore

SEED = 0

rng = random.Random(SEED)
file, inner, link, hard, outside = (
    f"{letter}{''.join(rng.choices(string.ascii_lowercase, k=rng.randint(3, 8)))}" for letter in "filho"
)
content = rng.randbytes(rng.randint(600, 900))
done = []


def add(archive, name, content=b"", kind=tarfile.REGTYPE, target=""):
    """Add a member to an archive."""
    member = tarfile.TarInfo(name)
    member.type, member.linkname, member.size = kind, target, len(content)
    archive.addfile(member, io.BytesIO(content))


def tolerated(path, folder):
    """Restore what a fix may refuse."""
    try:
        restore(path, folder)
    except (RestoreError, ValueError, OSError, EOFError, tarfile.TarError):
        pass


def work(place):
    """Alternate between backups that are refused and others."""
    Path(place).mkdir()
    backup, restored = f"{place}/backup", Path(place, "deep", "restored")
    for number, mode in enumerate(("w", "w:gz")):
        with tarfile.open(backup, "w") as archive:
            add(archive, link, kind=tarfile.SYMTYPE, target=f"../../{outside}")
        tolerated(backup, f"{place}/{outside}{number}/x")
        with tarfile.open(backup, "w") as archive:
            add(archive, hard, kind=tarfile.LNKTYPE, target=f"{outside}-absent")
        tolerated(backup, f"{place}/{outside}{number}/y")
        with tarfile.open(backup, "w") as archive:
            add(archive, f"../{outside}", content)
        tolerated(backup, restored)
        assert not Path(place, "deep", outside).exists()
        with tarfile.open(backup, mode) as archive:
            add(archive, inner, kind=tarfile.DIRTYPE)
            add(archive, f"{inner}/{file}", content)
            add(archive, f"{inner}/{link}", kind=tarfile.SYMTYPE, target=file)
            add(archive, hard, kind=tarfile.LNKTYPE, target=f"{inner}/{file}")
            add(archive, f"{inner}/empty")
        cut = Path(backup).read_bytes()[: 512 + 512 + 300 if mode == "w" else 200]
        Path(f"{backup}.cut").write_bytes(cut)
        Path(f"{backup}.none").write_bytes(b"")
        for broken in (f"{backup}.none", f"{backup}.cut", f"{backup}.absent"):
            try:
                restore(broken, f"{place}/{outside}{number}/z")
            except (RestoreError, OSError, EOFError, tarfile.TarError):
                continue
            raise AssertionError(broken)
        report = restore(path=Path(backup), folder=restored)
        assert report == Report([inner], [f"{inner}/{file}", f"{inner}/empty"], [f"{inner}/{link}", hard]), (
            report
        )
        for name in (f"{inner}/{file}", f"{inner}/{link}", hard):
            assert (restored / name).read_bytes() == content
        assert (restored / inner / link).is_symlink() and (restored / hard).samefile(restored / inner / file)
        assert (restored / inner / "empty").read_bytes() == b""
        assert sorted(path.name for path in restored.iterdir()) == sorted([inner, hard])
    with tarfile.open(backup, "w"):
        pass
    assert restore(backup, f"{place}/nothing") == Report()
    assert list(Path(place, "nothing").iterdir()) == []
    done.append(place)


work("one")
thread = threading.Thread(target=work, args=("two",))
thread.start()
thread.join()
assert done == ["one", "two"]
