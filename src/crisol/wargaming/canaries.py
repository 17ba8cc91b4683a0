"""Which PoV is followed by a canary: by itself, over the release, in the process that the patch left.

The release's flaw has to show there. Where it does not, the patch did something to the process and not to
the flaw.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, field
from hashlib import sha256
from typing import TYPE_CHECKING

from crisol.errors import SandboxError
from crisol.sandbox import Canary
from crisol.sandbox.script import parts

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from crisol.sandbox import Script, Target

__all__ = ["Canaries"]

_QUICK = 0.2
"""Seconds of processor time up to which a PoV may be followed by a canary."""


@dataclass(slots=True)
class Canaries:
    """Which PoV of a match is run a second time as a canary, see :class:`crisol.sandbox.Canary`.

    ``costs`` are processor seconds of each script on the release; ``blind`` names PoVs that do not show the
    flaw twice in one process, which no canary follows.
    """

    costs: dict[str, float] = field(default_factory=dict)
    blind: set[str] = field(default_factory=set)

    def followed(self, povs: Sequence[Script], seed: int, files: Mapping[str, bytes | None]) -> str:
        """Return the name of the PoV to be followed by a canary; empty for no canary.

        It is drawn by ``seed`` and the patched ``files`` among PoVs of at most 0.2 processor seconds, so that
        a patch cannot know which. Without such a PoV the cheapest is taken, unless others are judged from
        outside, which need no canary.
        """
        outside = {pov.name for pov in povs if parts(pov.source)[1]}
        able = [pov.name for pov in povs if pov.name not in outside | self.blind]
        quick = [name for name in able if self.costs.get(name, 0.0) <= _QUICK]
        if quick:
            drawn = sha256(f"{seed} {sorted(files.items())}".encode("utf-8", "surrogatepass")).digest()
            return quick[drawn[0] % len(quick)]
        return "" if outside or not able else min(able, key=lambda name: self.costs.get(name, 0.0))

    def told(self, target: Target, pov: Script) -> bool:
        """Return whether a failed canary speaks against the patch: it succeeds on the unpatched release.

        If it fails there, too, the PoV is added to ``blind``.
        """
        with suppress(SandboxError):
            if target.run(pov, canary=Canary.AFTER_ANY).canary == 0:
                return True
        self.blind.add(pov.name)
        return False
