"""The verbs of the front door: each does in one call what scripts and notebooks ask for most often."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from crisol.config import Settings, load_settings
from crisol.errors import InputError, UnknownVulnerability

if TYPE_CHECKING:
    from crisol.diff import Reading
    from crisol.records import Phase, Verdict
    from crisol.service.embedded import Server
    from crisol.wargame.vulnerability import Vulnerability

__all__ = ["find_vulnerability", "serve", "wargame"]


def find_vulnerability(name: str | Path, settings: Settings | None = None) -> Vulnerability:
    """Return a vulnerability by the path of its folder, or by its id.

    Raises :class:`~crisol.errors.UnknownVulnerability` where there is none, and
    :class:`~crisol.errors.VulnerabilityError` for a folder that is not complete.
    """
    from crisol.wargame.vulnerability import find, load  # noqa: PLC0415 - importing crisol must stay cheap

    folder = Path(name)
    if (folder / "vulnerability.toml").is_file():
        return load(folder)
    if folder.is_dir():
        raise UnknownVulnerability(f"{folder} holds no vulnerability.toml; see docs/vulnerability-format.md")
    settings = settings or load_settings()
    (vulnerability,) = find(settings.vulnerabilities, only=[str(name)])
    return vulnerability


def wargame(
    vulnerability: str | Path,
    patch: str | bytes | Path,
    *,
    sandbox: str = "",
    reading: Reading | None = None,
    watch: Callable[[Phase], object] | None = None,
    settings: Settings | None = None,
) -> Verdict:
    """Run the exploit against a patch and return the verdict.

    >>> import crisol
    >>> folder = crisol.load_settings().vulnerabilities / "arena" / "arena-zip-slip"
    >>> verdict = crisol.wargame("arena-zip-slip", folder / "patches" / "reference.diff")
    >>> print(verdict.outcome)
    valid

    ``vulnerability`` is an id or the path of a folder, ``patch`` a unified diff as text, bytes or the path of a file,
    ``sandbox`` ``auto``, ``bubblewrap``, ``namespaces`` or ``weak`` (the settings' unless given). ``reading``
    says how to read the diff where that is not plain. ``watch`` is called with every phase as it ends. Raises :class:`~crisol.errors.InputError` for a vulnerability or a file that cannot be
    read, and :class:`~crisol.errors.UnavailableError` where no sandbox or release can be had; whatever is wrong with
    the patch is the verdict.
    """
    from crisol.diff import Reading  # noqa: PLC0415 - importing crisol must stay cheap
    from crisol.sandbox import choose  # noqa: PLC0415 - likewise
    from crisol.wargame.referee import open_match  # noqa: PLC0415 - likewise

    settings = settings or load_settings()
    subject = find_vulnerability(vulnerability, settings)
    text = _content(patch)
    with open_match(subject, choose(sandbox or settings.sandbox), settings.cache) as match:
        phases = match.phases(text, reading or Reading())
        while True:
            try:
                phase = next(phases)
            except StopIteration as stop:
                verdict: Verdict = stop.value
                return verdict
            if watch is not None:
                watch(phase)


@contextmanager
def serve(settings: Settings | None = None, **changes: Any) -> Iterator[Server]:
    """Serve validation over HTTP in a thread of this process while the block runs, on a free port.

    >>> with crisol.serve() as server:  # doctest: +SKIP
    ...     print(server.url)
    http://127.0.0.1:40123

    ``changes`` are fields of :class:`~crisol.config.Settings`, such as ``ab_test_rate=0.5``. Raises
    :class:`~crisol.errors.SettingsError` for wrong settings and :class:`~crisol.errors.UnavailableError` where the
    server does not start. Needs ``crisol[service]``.
    """
    from crisol.service.embedded import serve as embedded  # noqa: PLC0415 - importing crisol must stay cheap

    with embedded((settings or load_settings()).changed(**{"port": 0, **changes})) as server:
        yield server


def _content(patch: str | bytes | Path) -> str | bytes:
    if not isinstance(patch, Path):
        return patch
    try:
        return patch.read_bytes()
    except OSError as error:
        raise InputError(f"{patch}: cannot be read: {error.strerror}") from None
