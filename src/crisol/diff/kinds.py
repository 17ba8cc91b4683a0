"""Recognise files that no wargame runs, such as tests, by their names.

Hunks that only change a version are recognised, too, by their lines.
"""

from __future__ import annotations

import re

from crisol.diff.patch import Hunk

__all__ = ["outside", "says_version"]

_TEST_FOLDERS = {"tests", "testsuite", "unittests", "test-data", "testdata"}
_TEST = re.compile(r"test_.+\.py|.+_tests?\.py|conftest\.py")
_DOC = re.compile(r".+\.(rst|md|markdown|adoc|tex|ipynb|[1-8])", re.IGNORECASE)
_LEFT = re.compile(r".+\.(pyc|pyo|rej|orig|bak|swp|log|patch|diff)|.+~|\.ds_store", re.IGNORECASE)
_LEFT_FOLDERS = {"__pycache__", ".idea", ".vscode", ".pytest_cache", ".mypy_cache", "node_modules", ".venv"}
_LEFT_FOLDERS |= {".pc", ".tox", ".eggs"}
_NOTICE = re.compile(
    r"(changes?|changelog|history|news|releases?|release[-_]notes|what'?s[-_]?new|authors|contributors|thanks|"
    r"credits|security|licen[cs]e|copying|notice|readme|todo|upgrading|version)([-_][\w-]*)?"
    r"(\.(txt|rst|md|markdown|adoc|in))?",
    re.IGNORECASE,
)
_CI = re.compile(
    r"tox\.ini|noxfile\.py|\.?(travis|appveyor|codecov|gitlab-ci|readthedocs|cirrus|azure-pipelines)\.ya?ml|"
    r"jenkinsfile|\.coveragerc|pytest\.ini|mypy\.ini|\.?pylintrc|\.?ruff\.toml|\.pre-commit-config\.yaml",
    re.IGNORECASE,
)
_PACKAGING = re.compile(
    r"setup\.py|setup\.cfg|pyproject\.toml|manifest\.in|pkg-info|.*requirements.*\.(txt|in)|pipfile|.+\.lock|"
    r".+\.spec|.+\.bbappend|.+\.bb|makefile|dockerfile|docker-compose.*|meson\.build|constraints.*\.txt|"
    r"package(-lock)?\.json",
    re.IGNORECASE,
)
_KINDS = (
    ("CI", _CI),
    ("a changelog or notice", _NOTICE),
    ("documentation", _DOC),
    ("packaging", _PACKAGING),
    ("a type stub", re.compile(r".+\.pyi")),
)
_FIRST_FOLDERS = {
    "a test": {"test", "testing", "t", "fuzz", "fuzzing", "fuzzers", "regrtest"},
    "documentation": {"doc", "docs", "documentation", "man", "website"},
    "CI": {"ci"},
    "a changelog or notice": {
        *("changes", "changelog", "changelog.d", "changelogs", "news", "newsfragments", "releasenotes"),
    },
    "packaging": {
        "debian",
        "rpm",
        "packaging",
        "specs",
        "recipes",
        "conda",
        "conda.recipe",
        "docker",
        "dist",
    },
    "an example or a script": {
        *("example", "examples", "sample", "samples", "demo", "demos", "bench", "benchmark", "benchmarks"),
        *("script", "scripts", "tool", "tools", "misc", "contrib", "extras", "playground"),
    },
    "left behind by a tool": {"build"},
}
"""The names of folders at the top of a repository, by the kind of their files.

Below a package a folder with such a name is a package.
"""

_TOP_SCRIPTS = {
    "tasks.py",
    "build.py",
    "pavement.py",
    "ez_setup.py",
    "bootstrap.py",
    "release.py",
    "runtests.py",
}
_CODE = re.compile(
    r".+\.(py|pyx|pxd|pxi|c|h|cc|cpp|rs|js|html?|jinja2?|tmpl|tpl|json|xml|sql)", re.IGNORECASE
)
_VERSIONED = re.compile(r"[ab]|.+-\d[\w.+~-]*")


_VERSION = re.compile(
    r"(?:__)?(?:version|release)(?:_info|_tuple)?(?:__)?(?:\s*:\s*\w+)?\s*=\s*"
    r"(?:(?P<quote>['\"])[\w.+!-]*(?P=quote)|[(\[][\d\s,.'\"abcdefinlpr]*[)\]])\s*(?:#.*)?",
    re.IGNORECASE,
)


def says_version(hunk: Hunk) -> bool:
    """Return whether a hunk only replaces version strings, such as ``__version__ = "1.2"``, by others."""
    changed = [line for line in hunk.lines if line[0] != " "]
    removed = sum(line[0] == "-" for line in changed)
    versions = all(_VERSION.fullmatch(line[1:].rstrip("\r")) for line in changed)
    return bool(changed) and 2 * removed == len(changed) and versions


def outside(path: str, *, present: bool) -> str:
    """Return the kind of a file that no wargame runs, such as ``a test``; "" for any other file.

    The kind is a text for people: ``a test``, ``documentation``, ``CI``, ``packaging``, ``a type stub``, ``a
    changelog or notice``, ``an example or a script``, ``left behind by a tool``, ``settings of a tool``, ``a
    project file``. Only the name ``path``, relative to the project's folder, is examined. ``present`` says
    whether the release contains this file. If it does, a module ``tests.py`` or a folder ``docs`` inside a
    package counts as a part of the program, and the result for it is "".

    >>> outside("tests/test_app.py", present=False), outside("jinja2/tests.py", present=True)
    ('a test', '')
    """
    *folders, name = path.split("/")
    if {folder.lower() for folder in folders} & _LEFT_FOLDERS or _LEFT.fullmatch(name):
        return "left behind by a tool"
    if {folder.lower() for folder in folders} & _TEST_FOLDERS or _TEST.fullmatch(name):
        return "a test"
    if present:
        top = "" if folders or name in {"test.py", "tests.py"} else _by_name(folders, name)
        return top or ("documentation" if _DOC.fullmatch(name) else "")
    if len(folders) > 1 and _VERSIONED.fullmatch(folders[0]):
        folders = folders[1:]  # the unpacked release in which quilt or diff -r was run
    return _by_name(folders, name) or _by_folder(folders, name)


def _by_name(folders: list[str], name: str) -> str:
    for kind, pattern in _KINDS:
        if pattern.fullmatch(name):
            return kind
    return "a test" if name == "tests.py" or (name == "test.py" and not folders) else ""


def _by_folder(folders: list[str], name: str) -> str:
    first = folders[0].lower() if folders else ""
    for kind, names in _FIRST_FOLDERS.items():
        if first in names:
            return kind
    if name.startswith(".") or first.startswith("."):
        return "CI" if first in {".github", ".circleci", ".gitlab", ".ci"} else "settings of a tool"
    if folders:
        return ""
    if name in _TOP_SCRIPTS:
        return "an example or a script"
    return "" if _CODE.fullmatch(name) else "a project file"
