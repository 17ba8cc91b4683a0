"""All errors that Crisol raises on purpose.

An error means that Crisol failed, such as ``SandboxError`` for a sandbox that did not start, or that its
input cannot be used. A patch that breaks the tests raises no error: its verdict is invalid.

::

    CrisolError
    ├── InputError                  what the caller handed in cannot be used (CLI exit 64, HTTP 4xx)
    │   ├── DiffError               the diff text is refused
    │   │   ├── MalformedDiff       it is not a unified diff
    │   │   ├── UnsafeDiff          it names a path outside the project's folder, a link or a special file
    │   │   ├── UnsupportedDiff     it is a diff, of a kind that cannot be wargamed (binary)
    │   │   └── DiffTooLarge        it exceeds a size limit
    │   ├── NoInput                 there is nothing to read (CLI exit 66)
    │   ├── CannotCreate            an output cannot be created where it should be (CLI exit 73)
    │   ├── PatchDoesNotApply       a hunk does not fit the source
    │   ├── VulnerabilityError      a vulnerability folder is incomplete or contradicts itself
    │   ├── UnknownVulnerability    no folder has that id
    │   ├── ExperimentError         an experiment file or a notebook parameter is wrong
    │   ├── DatasetError            a table or JSONL of labelled patches cannot be read
    │   └── SettingsError           an environment variable or option is out of range
    ├── UnavailableError            something Crisol needs is not there (CLI exit 69, HTTP 503)
    │   ├── SandboxUnavailable      this machine offers no isolation that is strong enough
    │   ├── SandboxError            the sandbox itself failed while running something
    │   ├── IndexUnavailable        the package index did not give a release
    │   ├── StoreError              a store refused an operation or cannot be reached
    │   ├── ModelError              a model cannot be loaded, or does not predict as after its training
    │   ├── Overloaded              a bounded queue is full; ``retry_after`` says how long to wait
    │   ├── RateLimited             a token bucket is empty; ``retry_after`` says how long to wait
    │   └── CircuitOpenError        a breaker refuses the call; ``retry_after`` says how long to wait
    └── IntegrityError              content does not match its hash, checksum or schema (CLI exit 65)
"""

from __future__ import annotations

import os
import re
from typing import Any

__all__ = [
    "CannotCreate",
    "CircuitOpenError",
    "CrisolError",
    "DatasetError",
    "DiffError",
    "DiffTooLarge",
    "ExperimentError",
    "IndexUnavailable",
    "InputError",
    "IntegrityError",
    "MalformedDiff",
    "ModelError",
    "NoInput",
    "Overloaded",
    "PatchDoesNotApply",
    "RateLimited",
    "SandboxError",
    "SandboxUnavailable",
    "SettingsError",
    "StoreError",
    "UnavailableError",
    "UnknownVulnerability",
    "UnsafeDiff",
    "UnsupportedDiff",
    "VulnerabilityError",
    "redacted",
    "unwritable",
]

_CREDENTIALS = re.compile(
    r"(?i)([a-z][a-z0-9+.-]*://)(?:[^\s/?#]*|[^\s/?#:]*:(?!\d+[/?#])\S*)@"
    r"""|((?:password|passwd|pwd)["']?\s*[=:]\s*)(?:'[^']*'|"[^"]*"|[^\s&;,]+)"""
)


def redacted(text: str) -> str:
    """Return ``text`` without the user names and passwords of all URLs and connection strings in it.

    A password is removed as a whole, even if it contains ``/``, ``?`` or ``#`` without percent-encoding.

    >>> redacted("no answer from redis://me:s3cret@127.0.0.1/0, password=s3cret")
    'no answer from redis://***@127.0.0.1/0, password=***'
    """
    return _CREDENTIALS.sub(lambda match: f"{match[1]}***@" if match[1] else f"{match[2]}***", text)


class CrisolError(Exception):
    """The base class of every error that Crisol raises on purpose; catch it to catch all of them.

    ``exit_code``, a class attribute, is the exit status with which the ``crisol`` command ends after the
    error: 64 for :class:`InputError`, 66 for :class:`NoInput`, 73 for :class:`CannotCreate`, 69 for
    :class:`UnavailableError` and 65 for :class:`IntegrityError`. Other subclasses inherit the status, unless
    they set their own.
    """

    exit_code = 70

    def __reduce__(self) -> tuple[Any, ...]:
        # By default an error is made again from its message alone, which most signatures here do not take.
        return _again, (type(self), self.args, self.__dict__)


def _again(kind: type[CrisolError], args: tuple[Any, ...], state: dict[str, Any]) -> CrisolError:
    error = kind.__new__(kind)
    error.args = args
    error.__dict__.update(state)
    return error


class InputError(CrisolError):
    """The caller's input cannot be used; the message says what is wrong, where, and what to do next."""

    exit_code = 64


class DiffError(InputError):
    """A diff is refused; ``line`` is the 1-based number of its wrong line, 0 if the whole text is wrong."""

    def __init__(self, message: str, *, line: int = 0) -> None:
        super().__init__(f"line {line}: {message}" if line else message)
        self.line = line


class MalformedDiff(DiffError):
    """The text is not a unified diff, or a part of the diff breaks the format."""


class UnsafeDiff(DiffError):
    """The diff names a path outside the project's folder, a symbolic link, or an unusual file mode.

    Modes 100644, 100755 and 100664 are usual; git writes others for links, submodules and special files.
    """


class UnsupportedDiff(DiffError):
    """The text is a diff of a kind that cannot be wargamed, such as a binary one."""


class DiffTooLarge(DiffError):
    """The diff exceeds a size limit of :class:`~crisol.diff.DiffLimits`: by default 1 MiB or 200 files.

    There are limits on lines and hunks, too. The message names the limit.
    """


class NoInput(InputError):
    """An input cannot be read: there is no such file, or standard input is closed."""

    exit_code = 66


class CannotCreate(InputError):
    """A file or folder for output cannot be created at the given path."""

    exit_code = 73


class PatchDoesNotApply(InputError):
    """A hunk of a patch does not fit the vulnerable source; the message names the file and the reason."""


class VulnerabilityError(InputError):
    """The folder of a vulnerability is incomplete, or two of its settings contradict each other."""


class UnknownVulnerability(InputError):
    """No folder of a vulnerability has the requested id."""


class ExperimentError(InputError):
    """An experiment file, a notebook parameter or an argument of an experiment is wrong."""


class DatasetError(InputError):
    """A table or JSONL file of labelled patches cannot be read or used."""


class SettingsError(InputError):
    """An environment variable, option or argument has a value that is not allowed."""


class UnavailableError(CrisolError):
    """A program, server, package or file that Crisol needs is missing or does not answer.

    The message says what is missing and how to get it; passwords in URLs are replaced by ``***``.
    """

    exit_code = 69

    def __str__(self) -> str:
        # Most of these messages quote a server, a driver or MLflow, which may quote the URL.
        return redacted(super().__str__())


class SandboxUnavailable(UnavailableError):
    """This machine offers no isolation that is strong enough to run untrusted code."""


class SandboxError(UnavailableError):
    """The sandbox itself failed while a script ran; this says nothing about the patch."""


class IndexUnavailable(UnavailableError):
    """A release of a vulnerable package could not be downloaded from the package index."""


class StoreError(UnavailableError):
    """A store (trials, cache or MLflow's model registry) refused an operation or cannot be reached."""


class ModelError(UnavailableError):
    """A model cannot be loaded, written or served, or does not predict as it did after its training."""


class Overloaded(UnavailableError):
    """A request is refused because a queue of limited length is full, or because nobody waits for its answer.

    ``retry_after`` is the time, in seconds, after which the caller should ask again.
    """

    def __init__(self, message: str, retry_after: float) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class RateLimited(UnavailableError):
    """A call of a rate-limited Python function is refused because its token bucket holds too few tokens.

    ``name`` is the function's qualified name. ``retry_after`` is the time, in seconds, until the bucket holds
    enough tokens again.
    """

    def __init__(self, name: str, retry_after: float) -> None:
        super().__init__(name, retry_after)
        self.name = name
        self.retry_after = retry_after

    def __str__(self) -> str:
        return f"{self.name} is called too often; retry in {self.retry_after:.3f} s"


class CircuitOpenError(UnavailableError):
    """A circuit breaker refuses a call without making it, because earlier calls failed.

    ``name`` is the breaker's name. ``retry_after`` is the time, in seconds, until the breaker may admit a
    call again.
    """

    def __init__(self, name: str, retry_after: float) -> None:
        # BaseException.__new__ has stored the arguments already; a rejection has to be cheap.
        self.name = name
        self.retry_after = retry_after

    def __str__(self) -> str:
        # The message is made when it is read, since most rejections are answered without it.
        return f"circuit {self.name!r} is open; retry in {self.retry_after:.3f} s"


class IntegrityError(CrisolError):
    """A file, record or database row does not match its hash, checksum or schema."""

    exit_code = 65


def unwritable(place: object, error: OSError) -> StoreError:
    """Return (not raise) a :class:`StoreError` whose message says that a file or folder cannot be written.

    ``place`` is the path of the file or folder. ``error`` is the exception of the failed write; its ``errno``
    gives the reason in the message.
    """
    reason = os.strerror(error.errno) if error.errno else str(error)
    return StoreError(f"{place} cannot be written: {reason}")
