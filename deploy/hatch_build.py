"""Builds the kernel when Crisol is installed, if there is a C compiler; without one the installation is complete, too."""

from __future__ import annotations

import runpy
import sysconfig
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

_FOLDER = Path("src/crisol/model/kernel")


class KernelHook(BuildHookInterface[Any]):
    """Compiles into the source tree, where git ignores the library, and ships it in a wheel."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Build the library; an editable installation finds it where it is."""
        compiler = runpy.run_path(str(Path(self.root, _FOLDER, "compile.py")))
        library: Path = compiler["LIBRARY"]
        # What another machine left here must not be shipped.
        library.unlink(missing_ok=True)
        if reason := compiler["build"]():
            self.app.display_warning(f"{reason}; predictions take longer without the kernel")
        elif version != "editable":
            build_data["artifacts"].append(str(_FOLDER / library.name))
            build_data["pure_python"] = False
            build_data["tag"] = f"py3-none-{sysconfig.get_platform().replace('-', '_').replace('.', '_')}"
