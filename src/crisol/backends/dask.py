"""A Dask cluster as an executor of :mod:`concurrent.futures`."""

from __future__ import annotations

from contextlib import contextmanager
from socket import create_connection
from typing import TYPE_CHECKING

from crisol.errors import UnavailableError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from concurrent.futures import Executor

__all__ = ["open_executor"]

_CONNECT_SECONDS = 10


@contextmanager
def open_executor(address: str) -> Iterator[Executor]:
    """Return a context manager that yields an executor, which runs calls on a Dask scheduler's workers.

    ``address`` is the scheduler's address, such as ``tcp://host:8786``. The workers' machines need this
    package, the vulnerability folders and a folder ``data/cache`` at the same paths as this machine. Leaving
    the block closes the connection, not the cluster. Entering raises :class:`~crisol.errors.UnavailableError`
    if Dask is not installed, or if no scheduler answers within ten seconds.
    """
    try:
        from distributed import Client  # noqa: PLC0415 - an optional dependency
        from distributed.comm.addressing import get_address_host_port  # noqa: PLC0415 - as above
    except ImportError:
        raise UnavailableError(
            "Dask is not installed; install crisol[scale], or leave --scheduler out"
        ) from None
    try:
        # A client that cannot connect prints a traceback when the process ends.
        with create_connection(get_address_host_port(address), _CONNECT_SECONDS):
            pass
        client = Client(address, timeout=_CONNECT_SECONDS, set_as_default=False)  # type: ignore[no-untyped-call]  # it has no annotations
    except (OSError, ValueError) as error:
        raise UnavailableError(f"no Dask scheduler answers at {address}: {error}") from None
    with client:
        # A function of a path is not pure: the same call must look at the folder again.
        yield client.get_executor(pure=False)  # type: ignore[no-untyped-call]  # it has no annotations
