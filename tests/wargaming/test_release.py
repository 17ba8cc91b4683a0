"""Archives of the index are checked and unpacked so that nothing of them can reach beyond their folder."""

from __future__ import annotations

import gzip
import io
import tarfile
import zipfile
from pathlib import Path

import pytest

from crisol.errors import IndexUnavailable, IntegrityError, StoreError
from crisol.wargaming import release
from crisol.wargaming.release import Archive, fits, unpacked
from support.index import digest, own_index, sdist


@pytest.fixture
def index(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A package index of the file system, the only one that pip may ask."""
    return own_index(tmp_path, monkeypatch)


def test_unpacks_without_links_once(index: Path, tmp_path: Path) -> None:
    """The top folder of an sdist and every link are left out; the second call needs no index."""
    path = sdist(index / "pkg-1.0.tar.gz", {"pkg-1.0/src/a.py": b"x = 1\n"}, link="/etc/passwd")
    archive = Archive("pkg", path.name, digest(path), "src")
    root = unpacked(archive, tmp_path / "cache")
    path.unlink()
    assert unpacked(archive, tmp_path / "cache") == root
    assert [p.name for p in root.parent.rglob("*") if p.is_file() or p.is_symlink()] == ["a.py"]


def test_a_wrong_hash_is_refused(index: Path, tmp_path: Path) -> None:
    """Content that is not what was pinned leaves nothing behind."""
    path = sdist(index / "pkg-1.0.tar.gz", {"pkg-1.0/a.py": b""})
    with pytest.raises(IntegrityError, match="expected"):
        unpacked(Archive("pkg", path.name, "0" * 64), tmp_path / "cache")
    assert not [p for p in (tmp_path / "cache").rglob("*") if p.is_file() and p.suffix != ".lock"]


@pytest.mark.parametrize("name", ["pkg-1.0/../../evil", "/evil", "pkg-1.0/..\\evil"])
def test_unsafe_names_are_refused(index: Path, tmp_path: Path, name: str) -> None:
    """No member is written outside the folder."""
    path = sdist(index / "pkg-1.0.tar.gz", {name: b"x"})
    with pytest.raises(IntegrityError, match="unsafe"):
        unpacked(Archive("pkg", path.name, digest(path)), tmp_path / "cache")


def test_a_bomb_is_refused(index: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What an archive unpacks to is bounded."""
    monkeypatch.setattr(release, "_MAX_BYTES", 1000)
    path = index / "pkg-1.0-py3-none-any.whl"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as wheel:
        wheel.writestr("pkg/a.py", b"0" * 2000)
    with pytest.raises(IntegrityError, match="more than"):
        unpacked(Archive("pkg", path.name, digest(path)), tmp_path / "cache")


def test_a_missing_release_says_so(index: Path, tmp_path: Path) -> None:
    """The message names the archive and where to look."""
    with pytest.raises(IndexUnavailable, match=r"pkg-9\.tar\.gz.*check pip's index"):
        unpacked(Archive("pkg", "pkg-9.tar.gz", "0" * 64), tmp_path / "cache")


def test_a_wrong_root_says_so(index: Path, tmp_path: Path) -> None:
    """The message names the key to correct."""
    path = sdist(index / "pkg-1.0.tar.gz", {"pkg-1.0/a.py": b""})
    with pytest.raises(IntegrityError, match="root"):
        unpacked(Archive("pkg", path.name, digest(path), "lib"), tmp_path / "cache")


@pytest.mark.parametrize(
    ("archive", "expected"),
    [
        ("demo-1.0.tar.gz", True),
        ("demo-1.0-py2.py3-none-any.whl", True),
        ("demo-1.0-cp27-cp27m-manylinux1_i686.whl", False),
        ("demo.whl", False),
    ],
)
def test_a_wheel_fits_the_interpreter_of_its_tags(archive: str, expected: bool) -> None:
    """Sources fit everywhere; a wheel of another interpreter, and what is none, do not."""
    assert fits(archive) is expected


def header(size: int) -> bytes:
    """Return a gzipped tar file that says that its first header is so long."""
    info = tarfile.TarInfo("pkg-1.0/a.py")
    info.type, info.size = tarfile.XHDTYPE, size
    return gzip.compress(info.tobuf(tarfile.GNU_FORMAT) + bytes(4096))


def lying() -> bytes:
    """Return a wheel that holds more than it says."""
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED) as wheel:
        wheel.writestr("a.py", bytes(70_000))
    return content.getvalue().replace((70_000).to_bytes(4, "little"), (10).to_bytes(4, "little"))


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("pkg-1.0.tar.gz", b""),
        ("pkg-1.0.tar.gz", b"no archive"),
        ("pkg-1.0.tar.gz", gzip.compress(bytes(range(256)) * 64)[:300]),
        ("pkg-1.0.tar.gz", header(4 << 30)),
        ("pkg-1.0-py3-none-any.whl", b"no archive"),
        ("pkg-1.0-py3-none-any.whl", lying()),
    ],
    ids=["empty", "text", "cut short", "lying header", "text as a wheel", "lying wheel"],
)
def test_a_damaged_archive_is_refused_by_one_error(
    index: Path, tmp_path: Path, name: str, content: bytes
) -> None:
    path = index / name
    path.write_bytes(content)
    with pytest.raises(IntegrityError, match=r"archive|unpacked"):
        unpacked(Archive("pkg", name, digest(path)), tmp_path / "cache")


@pytest.mark.parametrize("second", ["pkg-1.0/a/b", "pkg-1.0/" + "a" * 300])
def test_members_that_no_disk_can_hold_are_the_fault_of_the_archive(
    index: Path, tmp_path: Path, second: str
) -> None:
    path = sdist(index / "pkg-1.0.tar.gz", {"pkg-1.0/a": b"", second: b""})
    with pytest.raises(IntegrityError, match="unpacked"):
        unpacked(Archive("pkg", path.name, digest(path)), tmp_path / "cache")


def test_a_cache_that_cannot_be_written_is_named(index: Path, tmp_path: Path) -> None:
    """It is neither the index's fault nor the archive's."""
    path = sdist(index / "pkg-1.0.tar.gz", {"pkg-1.0/a.py": b""})
    (tmp_path / "cache").write_bytes(b"")
    with pytest.raises(StoreError, match="cache/releases cannot be written: Not a directory"):
        unpacked(Archive("pkg", path.name, digest(path)), tmp_path / "cache")
