"""Reading untrusted text is bounded by what it uses, not by how busy the machine is."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from crisol.sandbox import bounded as reading
from crisol.sandbox.bounded import OutOfBounds, bounded

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

READERS = """
import time

def wait(head, blobs):
    time.sleep(head["seconds"])
    return head, blobs

def work(head, blobs):
    while True:
        pass

def fail(head, blobs):
    raise ValueError("no such text")
"""


@pytest.fixture
def readers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Workers that find the functions above, with half a second of processor time."""
    (tmp_path / "slow_readers.py").write_text(READERS)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(reading, "_CPU_SECONDS", 0.5)
    monkeypatch.setattr(reading, "_idle", [])
    yield
    for worker in reading._idle:
        worker.close()


@pytest.mark.usefixtures("readers")
def test_waiting_for_a_processor_is_no_fault_of_the_text() -> None:
    """Wall time does not count."""
    assert bounded("slow_readers:wait", {"seconds": 1.0}, [b"text"]) == ({"seconds": 1.0}, [b"text"])


@pytest.mark.usefixtures("readers")
def test_a_text_that_takes_too_much_processor_time_is_out_of_bounds() -> None:
    """The error says so, and the next text is read by another worker."""
    with pytest.raises(OutOfBounds, match=r"more than 0\.5 s of processor time"):
        bounded("slow_readers:work", {}, [])
    assert bounded("slow_readers:wait", {"seconds": 0.0}, []) == ({"seconds": 0.0}, [])


@pytest.mark.usefixtures("readers")
def test_a_text_that_cannot_be_read_is_out_of_bounds() -> None:
    """The error of the reader is named."""
    with pytest.raises(OutOfBounds, match="ValueError: no such text"):
        bounded("slow_readers:fail", {}, [])
