"""The probe that runs a package's tests with pytest inside the sandbox, and reports each test.

The probe executes the text of this module and reports the result of :func:`main`. No verdict may rest on this
report: the target runs in the same process and can falsify it.
"""

from __future__ import annotations

import inspect
import json
import os
import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import CodeType

__all__ = ["main"]

_SUITE = "{suite}"
_LINES = 3
"""Of a failure's message that are reported."""


class _Recorder:
    """A plug-in of pytest that notes how each test ends, and which of the ``wanted`` names the test uses."""

    def __init__(self, wanted: frozenset[str]) -> None:
        self.wanted = wanted
        self.tests: dict[str, list[str]] = {}
        self.names: dict[str, list[str]] = {}
        self.broken: dict[str, str] = {}

    def pytest_itemcollected(self, item: Any) -> None:
        codes = (getattr(inspect.unwrap(function), "__code__", None) for function in _functions(item))
        names = {name for code in codes if code is not None for name in _names(code)}
        if used := self.wanted & names:
            self.names[item.nodeid] = sorted(used)

    def pytest_collectreport(self, report: Any) -> None:
        if report.failed:
            self.broken[report.nodeid] = _message(report)

    def pytest_runtest_logreport(self, report: Any) -> None:
        before = self.tests.get(report.nodeid, ["passed", ""])
        # The setup, the call and the teardown of a test have a report each; one failure counts.
        if before[0] != "failed":
            message = "" if report.passed else _message(report)
            self.tests[report.nodeid] = before if report.passed else [report.outcome, message]


def _functions(item: Any) -> Iterator[Any]:
    yield getattr(item, "obj", item)
    own = getattr(item, "cls", None)
    # The test may call these methods.
    for name, value in vars(own).items() if own is not None else ():
        if callable(value) and not name.startswith("test"):
            yield value


def _names(code: CodeType) -> Iterator[str]:
    yield from code.co_names
    for constant in code.co_consts:
        if inspect.iscode(constant):
            yield from _names(constant)
        elif type(constant) is tuple:  # names of keyword arguments, or any other texts
            yield from (word for word in constant if type(word) is str)


def _message(report: Any) -> str:
    crash = getattr(report.longrepr, "reprcrash", None)
    lines = str(crash.message if crash is not None else report.longrepr).strip().splitlines()
    lines = [line.removeprefix("E ").strip() for line in lines if line.startswith("E ")] or lines
    return "\n".join(lines[:_LINES])[:600]


def main(arguments: bytes) -> bytes:
    """Run a package's tests with pytest inside the sandbox, and return the report as JSON.

    ``arguments`` is JSON with ``paths`` (test files and folders), ``options`` (arguments of pytest) and
    ``wanted`` (names of functions, classes and variables). The report is an object. ``tests`` maps each test
    to [outcome, message]: ``passed``, ``failed`` or ``skipped``, and a message, "" if it passed. ``names``
    maps each test to the names in ``wanted`` that it uses. ``broken`` maps each file that cannot be imported
    to a message.

    The last entry of ``sys.path`` is the folder with the package and its tests. The tests run in a copy of
    this folder; ``{suite}`` stands for the copy's path in the options and in the report.
    """
    job = json.loads(arguments)
    place = os.path.realpath("suite")
    shutil.copytree(sys.path.pop(), place)
    sys.path.insert(0, place)
    os.chdir(place)
    # The project's own settings may name plug-ins that are not here.
    Path("pytest.ini").write_text("[pytest]\n", encoding="utf-8")
    import pytest  # noqa: PLC0415 - one of the suite's requirements, nothing of Crisol's

    recorder = _Recorder(frozenset(job["wanted"]))
    places = [path for path in job["paths"] if path.endswith(".py") or Path(path).is_dir()]  # others are data
    pytest.main(
        [
            "-q",
            "--tb=line",
            "-p",
            "no:cacheprovider",
            "--continue-on-collection-errors",
            *(option.replace(_SUITE, place) for option in job["options"]),
            *places,
        ],
        [recorder],
    )
    report = json.dumps({"tests": recorder.tests, "names": recorder.names, "broken": recorder.broken})
    return report.replace(place, _SUITE).encode()
