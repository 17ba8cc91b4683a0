"""The serving form in C, where it was built: ``docs/decisions/005-c-kernel.md``. Everything works without it."""

from crisol.model.kernel.library import NODE, Kernel, Trees, open_kernel, parser, state

__all__ = ["NODE", "Kernel", "Trees", "open_kernel", "parser", "state"]
