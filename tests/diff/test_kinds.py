"""Which hunks of a patch change no program."""

from __future__ import annotations

from crisol.diff import Hunk
from crisol.diff.kinds import says_version


def test_context_alone_is_no_version() -> None:
    """A hunk that changes nothing replaces no version string."""
    context = (" a = 1", ' __version__ = "1"')
    changed = (" a = 1", '-__version__ = "1"', '+__version__ = "2"')
    assert not says_version(Hunk(1, 1, context))
    assert says_version(Hunk(1, 1, changed))
