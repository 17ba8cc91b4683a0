"""Build the kernel with whatever C compiler is there.

Only the standard library is imported: ``deploy/hatch_build.py`` runs this file before Crisol is installed.
"""

from __future__ import annotations

import hashlib
import os
import shlex
import shutil
import subprocess
import tempfile
from pathlib import Path

__all__ = ["LIBRARY", "SOURCES", "build", "source_hash"]

SOURCES = tuple(Path(__file__).with_name(name) for name in ("kernel.c", "outline.c"))
LIBRARY = Path(__file__).with_name("_kernel.so")

# No contraction: a fused multiplication and addition rounds once where Python rounds twice.
_FLAGS = ("-std=c11", "-O3", "-fPIC", "-shared", "-fvisibility=hidden", "-ffp-contract=off")
_SECONDS = 120


def source_hash() -> str:
    """Return what a library that was built of this source carries, and no other."""
    return hashlib.sha256(b"".join(path.read_bytes() for path in SOURCES)).hexdigest()


def build(library: Path = LIBRARY, sources: tuple[Path, ...] = SOURCES, flags: tuple[str, ...] = ()) -> str:
    """Compile the sources into a library beside it, or elsewhere; return why there is none, or the empty string.

    The library appears whole or not at all. ``CC`` names a compiler other than ``cc``.
    """
    compiler = shlex.split(os.environ.get("CC", "cc"))
    if not compiler or shutil.which(compiler[0]) is None:
        return f"there is no C compiler ({' '.join(compiler)})"
    try:
        with tempfile.TemporaryDirectory(dir=library.parent, prefix="_kernel-") as folder:
            made = Path(folder) / library.name
            defined = f'-DCRISOL_SOURCE="{source_hash()}"'
            command = [*compiler, *_FLAGS, *flags, defined, "-o", str(made), *map(str, sources), "-lm"]
            done = subprocess.run(command, capture_output=True, text=True, timeout=_SECONDS, check=False)
            if done.returncode:
                return f"{compiler[0]} failed: {(done.stderr.strip().splitlines() or ['no message'])[-1]}"
            made.replace(library)
    except (OSError, subprocess.TimeoutExpired) as error:
        return f"the kernel cannot be built: {error}"
    return ""
