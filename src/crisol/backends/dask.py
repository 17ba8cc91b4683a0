"""A Dask cluster as an executor of :mod:`concurrent.futures`."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from crisol.errors import UnavailableError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from concurrent.futures import Executor

__all__ = ["open_executor"]

_CONNECT_SECONDS = 10


@contextmanager
def open_executor(address: str) -> Iterator[Executor]:
    """Connect to the scheduler at ``address`` (such as ``tcp://host:8786``) and hand out its workers.

    The workers need this package, the vulnerability folders and a cache at the same paths. Raises
    :class:`~crisol.errors.UnavailableError` where Dask is not installed or nobody answers within ten seconds.
    """
    try:
        from distributed import Client  # noqa: PLC0415 - an optional dependency
    except ImportError:
        raise UnavailableError(
            "Dask is not installed; install crisol[scale], or leave --scheduler out"
        ) from None
    try:
        client = Client(address, timeout=_CONNECT_SECONDS, set_as_default=False)  # type: ignore[no-untyped-call]  # it has no annotations
    except (OSError, ValueError) as error:
        raise UnavailableError(f"no Dask scheduler answers at {address}: {error}") from None
    with client:
        # A function of a path is not pure: the same call must look at the folder again.
        yield client.get_executor(pure=False)  # type: ignore[no-untyped-call]  # it has no annotations
