"""The content of ``vulnerability.toml`` and ``requirements.toml`` (see ``docs/vulnerability-format.md``)."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints, ValidationError

from crisol.errors import VulnerabilityError
from crisol.wargaming.folder import content

__all__ = [
    "Description",
    "OwnProgram",
    "ReleasePair",
    "Requirement",
    "UpstreamHunk",
    "UpstreamTests",
    "describe",
    "judged_part",
    "requirements",
]

_Model = TypeVar("_Model", bound=BaseModel)
_Sha256 = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]


def _downwards(name: str) -> str:
    if name.startswith("/") or ".." in name.split("/") or "\\" in name or "\0" in name:
        raise ValueError(f"{name!r} leads out of the archive; name a folder inside it")
    return name


_Root = Annotated[str, AfterValidator(_downwards)]
"""A relative path of a folder inside an archive, without ``..``."""
_Id = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,79}$")]


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class OwnProgram(_Section):
    """The section ``source`` of a vulnerability whose program is in its sub-folder ``target``."""

    path: Literal["target"]


class ReleasePair(_Section):
    """The section ``source`` of a vulnerability in a package: a vulnerable and a fixed release.

    - ``vulnerable``, ``fixed``: the versions.
    - ``archive_vulnerable``, ``archive_fixed``: file names in the package index. ``sha256_vulnerable``,
      ``sha256_fixed``: the hashes that these files must have.
    - ``root``: the folder that is put on ``sys.path``, as a path in the unpacked vulnerable archive; "" means
      all of the archive. A source distribution is unpacked without its top folder, such as ``PyYAML-5.3``.
    - ``root_fixed``: the same for the fixed archive; None means the same path.
    - ``requires``: the packages that the code imports, as ``name==version`` of ``requirements.toml``.
    - ``compat``: True if the sandbox must define the names that Python 3.10 and 3.11 removed from the
      standard library.
    - ``licence``: "" if the release states none.
    """

    package: str
    vulnerable: str
    fixed: str
    archive_vulnerable: str
    archive_fixed: str
    sha256_vulnerable: _Sha256
    sha256_fixed: _Sha256
    root: _Root = ""
    root_fixed: _Root | None = None
    requires: tuple[str, ...] = ()
    compat: bool = False
    licence: str = ""


class UpstreamHunk(_Section):
    """One hunk of upstream's fix, taken from the difference between the vulnerable and the fixed release.

    ``file`` is a path relative to the release's ``root``. The numbers are those in the hunk's header,
    ``@@ -old_start,old_lines +new_start,new_lines @@``.
    """

    file: str
    old_start: int = Field(ge=0)
    old_lines: int = Field(ge=0)
    new_start: int = Field(ge=0)
    new_lines: int = Field(ge=0)


class LimitsSection(_Section):
    """The limits of one run of a PoV or check: wall time and CPU time in seconds, and memory in MiB."""

    seconds: float = Field(default=10.0, gt=0, le=120)
    cpu_seconds: float = Field(default=10.0, gt=0, le=120)
    memory_mb: int = Field(default=512, ge=32, le=4096)


class TestLimits(LimitsSection):
    """The limits of one run of all upstream tests: wall time and CPU time in seconds, and memory in MiB."""

    seconds: float = Field(default=180.0, gt=0, le=600)
    cpu_seconds: float = Field(default=60.0, gt=0, le=600)
    memory_mb: int = Field(default=1024, ge=32, le=4096)


class UpstreamTests(_Section):
    """The section ``upstream_tests`` of a vulnerability: the archive with the tests, and their requirements.

    - ``archive``: a file name in the package index; the file must have the SHA-256 ``sha256``.
    - ``root``: a folder in the archive, whose content is copied next to the vulnerable package.
    - ``paths``: the test files and folders, relative to ``root``.
    - ``requires``: the packages that the tests need, pytest included, as ``name==version`` of
      ``requirements.toml``.
    - ``options``: further arguments of pytest.
    - ``limits``: those of one run of all tests.
    - ``excluded``: test files and tests that do not run, in pytest's notation, each with the reason.
    """

    archive: str
    sha256: _Sha256
    root: _Root = ""
    paths: tuple[_Root, ...] = Field(min_length=1)
    requires: tuple[str, ...] = Field(min_length=1)
    options: tuple[str, ...] = ()
    limits: TestLimits = TestLimits()
    excluded: dict[str, str] = {}


class Requirement(_Section):
    """A dependency in ``requirements.toml``: its archives in the package index, one for each platform.

    ``archives`` maps file names to their SHA-256. ``root`` is the folder that is put on ``sys.path``, as a
    path in the unpacked archive; "" means all of the archive. A source distribution is unpacked without its
    top folder, such as ``MarkupSafe-2.1.5``.
    """

    archives: dict[str, _Sha256] = Field(min_length=1)
    root: _Root = ""


class Description(_Section):
    """The content of a ``vulnerability.toml``; see ``docs/vulnerability-format.md`` for all keys.

    - ``id``: the name of the folder.
    - ``cve``: "" for a flaw without a CVE number.
    - ``source``: where the program is.
    - ``upstream``: the hunks that make up upstream's fix; other differences between the vulnerable and the
      fixed release are left out. If it is empty, no candidate has the origin upstream.
    - ``upstream_tests``: None if there are none.
    - ``limits``: those of one run of a PoV or check.
    - ``refusals``: the exceptions by which a fixed program may refuse an attack: a PoV that ends with one of
      them has failed. A name is written as a traceback shows it, such as ``ValueError`` or
      ``package.module.Error``; subclasses of the exception do not count.
    """

    id: _Id
    title: str
    cwe: Annotated[str, StringConstraints(pattern=r"^CWE-\d{1,5}$")]
    cve: str = ""
    language: Literal["python"] = "python"
    description: str = ""
    source: OwnProgram | ReleasePair
    upstream: tuple[UpstreamHunk, ...] = ()
    upstream_tests: UpstreamTests | None = None
    limits: LimitsSection = LimitsSection()
    refusals: tuple[str, ...] = ()


_FORMS = (OwnProgram.__name__, ReleasePair.__name__)
"""The names of classes that pydantic adds to the path of an error; they are not in the author's file."""


def describe(path: Path) -> Description:
    """Return the checked content of the ``vulnerability.toml`` at ``path``.

    Raises :class:`~crisol.errors.VulnerabilityError` if the file cannot be read, if a key is missing or
    wrong, or if ``upstream_tests`` is not the last section. The message names the file, and the key if one is
    wrong.
    """
    table = _table(path)
    about = _validated(Description, table, path)
    if about.upstream_tests is not None and isinstance(about.source, OwnProgram):
        raise VulnerabilityError(f"{path}: upstream_tests: only a release has them")
    # A line of a text may look like the section: what follows it would not count for the content hash.
    if _rest(content(path)) != {key: value for key, value in table.items() if key != "upstream_tests"}:
        raise VulnerabilityError(
            f"{path}: [upstream_tests] and its parts must be the last of the file, and stand in no text"
        )
    return about


def judged_part(text: bytes) -> bytes:
    r"""Return the part of a ``vulnerability.toml`` on which verdicts depend.

    It is the text before the section ``upstream_tests``, which :func:`describe` accepts only at the end. A
    text without this section is returned unchanged.

    >>> judged_part(b'id = "a"\n\n[upstream_tests]\npaths = ["tests"]\n')
    b'id = "a"\n'
    """
    return text.partition(b"\n[upstream_tests]")[0]


def _rest(text: bytes) -> dict[str, Any] | None:
    try:
        return tomllib.loads(judged_part(text).decode())
    except tomllib.TOMLDecodeError:
        return None


def requirements(path: Path) -> dict[str, Requirement]:
    """Return the dependencies in the ``requirements.toml`` at ``path``, by ``name==version``.

    Raises :class:`~crisol.errors.VulnerabilityError` if the file is missing, cannot be read or is malformed.
    The message names the file and the wrong key.
    """
    return {name: _validated(Requirement, pin, path) for name, pin in _table(path).items()}


def _table(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(content(path).decode())
    except FileNotFoundError:
        raise VulnerabilityError(f"{path}: no such file; see docs/vulnerability-format.md") from None
    except OSError as error:
        raise VulnerabilityError(f"{path}: {error.strerror}") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise VulnerabilityError(f"{path}: {error}") from None


def _validated(model: type[_Model], data: object, path: Path) -> _Model:
    try:
        return model.model_validate(data)
    except ValidationError as error:
        # Of several errors, a refused value is more helpful than a missing key of the other form.
        first = min(error.errors(), key=lambda entry: entry["type"] != "value_error")
        key = ".".join(str(part) for part in first["loc"] if part not in _FORMS)
        raise VulnerabilityError(f"{path}: {key}: {first['msg']}") from None
