"""The decorator that :meth:`Cache.memoize` returns."""

from __future__ import annotations

import functools
import inspect
import typing
from collections.abc import Callable, Coroutine
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar

from crisol.errors import SettingsError
from crisol.resilience.kinds import Kind

if TYPE_CHECKING:
    from crisol.resilience.cache import Cache

__all__ = ["memoized"]

P = ParamSpec("P")
T = TypeVar("T")
_Function = Callable[P, Coroutine[Any, Any, T]]


def memoized(
    cache: Cache, ttl: float, tags: tuple[str, ...] = ()
) -> Callable[[_Function[P, T]], _Function[P, T]]:
    """Return a decorator that caches the results of an ``async`` function in ``cache`` for ``ttl`` seconds.

    A result of None is cached for at most five seconds, and an exception is not cached. The cache key is
    computed from the function's name and its arguments. The arguments must be of types that
    :func:`~crisol.resilience.keys.digest` takes; for others, a call of the function raises
    :class:`~crisol.errors.InputError`. ``tags`` are names by which :meth:`Cache.invalidate` finds the
    entries. The decorator raises :class:`~crisol.errors.SettingsError` if the function is not ``async`` or
    does not annotate its return type.
    """

    def decorate(fn: _Function[P, T]) -> _Function[P, T]:
        name = f"{fn.__module__}.{fn.__qualname__}"
        kind: Kind[Any] = Kind(name, _returned(fn), ttl=ttl)
        signature = inspect.signature(fn)

        @functools.wraps(fn)
        async def call(*args: P.args, **kwargs: P.kwargs) -> T:
            bound = signature.bind(*args, **kwargs)
            bound.apply_defaults()
            key = kind.key(dict(bound.arguments))
            value: T = await cache.get_or_compute(kind, key, lambda: fn(*args, **kwargs), tags=tags)  # type: ignore[assignment]  # None only where T has it
            return value

        return call

    return decorate


def _returned(fn: Callable[..., Any]) -> Any:
    if not inspect.iscoroutinefunction(fn):
        raise SettingsError(f"{fn!r} is no coroutine function; write async def")
    try:
        return typing.get_type_hints(fn)["return"]
    except (KeyError, NameError) as error:
        raise SettingsError(
            f"{fn.__qualname__}: annotate the type that it returns, as entries are checked against it "
            f"({error!r})"
        ) from None
