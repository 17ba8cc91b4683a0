"""A circuit breaker around calls: as a decorator, with ``call``, or as a context manager.

>>> breaker = CircuitBreaker("model", BreakerPolicy(consecutive_failures=1))
>>> @breaker
... def divide(a, b):
...     return a / b
>>> divide(6, 3)
2.0
>>> divide(1, 0)
Traceback (most recent call last):
ZeroDivisionError: division by zero
>>> divide(6, 3)  # doctest: +ELLIPSIS
Traceback (most recent call last):
crisol.errors.CircuitOpenError: circuit 'model' is open; retry in ... s
"""

from __future__ import annotations

import asyncio
import functools
import inspect
import threading
import time
from typing import TYPE_CHECKING, Any, ParamSpec, Self, TypeVar, cast

from crisol.errors import SettingsError
from crisol.resilience.breaker import BreakerCore, BreakerSnapshot
from crisol.resilience.policy import BreakerPolicy

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Coroutine, Iterator
    from types import TracebackType

    from crisol.resilience.breaker import State
    from crisol.resilience.clock import Clock

__all__ = ["BreakerRegistry", "CircuitBreaker", "Guard"]

P = ParamSpec("P")
T = TypeVar("T")


class CircuitBreaker(BreakerCore):
    """A circuit breaker around calls: as a decorator, by :meth:`call`, :meth:`call_sync` or :meth:`guard`.

    Each way raises :class:`~crisol.errors.CircuitOpenError` if the breaker rejects the call. The exception of
    an admitted call is passed on; the breaker's policy decides whether it counts as a failure. An exception
    group counts as a failure if one of its exceptions does. If the policy has a ``timeout``, an ``async``
    call that takes longer is cancelled and raises ``TimeoutError``. A plain function that takes longer still
    returns its result, but counts as a failure. The arguments of the class are those of
    :class:`~crisol.resilience.breaker.BreakerCore`: name, policy and clock.
    """

    __slots__ = ()

    def __call__(self, fn: Callable[P, T]) -> Callable[P, T]:
        """Return ``fn`` wrapped so that each call goes through the breaker; for use as a decorator.

        ``fn`` is a plain function or a coroutine function. Raises ``TypeError`` for a generator function.
        """
        if inspect.isasyncgenfunction(fn) or inspect.isgeneratorfunction(fn):
            raise TypeError(f"{fn!r} is a generator; put `with breaker.guard():` around its use instead")
        if not _is_async(fn):
            return self._wrap_plain(fn)
        coroutine_function = cast("Callable[P, Coroutine[Any, Any, Any]]", fn)
        timed = self.policy.timed or self.policy.is_failure is not None
        wrap = self._wrap_timed if timed else self._wrap_quick
        return cast("Callable[P, T]", wrap(coroutine_function))

    async def call(self, fn: Callable[P, Awaitable[T]], /, *args: P.args, **kwargs: P.kwargs) -> T:
        """Return ``await fn(*args, **kwargs)``, if the breaker admits the call.

        Raises :class:`~crisol.errors.CircuitOpenError` if the breaker rejects the call, ``TimeoutError`` if
        the call takes longer than the ``timeout`` of the breaker's policy, and otherwise what ``fn`` raises.
        """
        permit = self.acquire()
        started = self.clock() if self.policy.timed else 0.0
        try:
            if self.policy.timeout is None:
                result = await fn(*args, **kwargs)
            else:
                async with asyncio.timeout(self.policy.timeout):
                    result = await fn(*args, **kwargs)
        except BaseException as error:
            self.failed(permit, error, started)
            raise
        self.returned(permit, result, started)
        return result

    def call_sync(self, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> T:
        """Call a plain function, if the breaker admits the call, and return its result.

        A call that takes longer than the ``timeout`` of the breaker's policy counts as a failure. If ``fn``
        returns an awaitable, the result is a coroutine to await, and the call is counted when it ends. Raises
        :class:`~crisol.errors.CircuitOpenError` if the breaker rejects the call, and otherwise what ``fn``
        raises.
        """
        return self._run(self.acquire(), fn, args, kwargs)

    def _run(self, permit: int, fn: Callable[..., T], args: tuple[Any, ...], kwargs: dict[str, Any]) -> T:
        started = self.clock() if self.policy.timed else 0.0
        try:
            result = fn(*args, **kwargs)
        except BaseException as error:
            self.failed(permit, error, started)
            raise
        if hasattr(type(result), "__await__"):
            return cast("T", self._awaited(permit, cast("Awaitable[Any]", result), started))
        self.returned(permit, result, started, late=self.policy.timeout)
        return result

    async def _awaited(self, permit: int, awaitable: Awaitable[T], started: float) -> T:
        try:
            async with asyncio.timeout(self.policy.timeout):
                result = await awaitable
        except BaseException as error:
            self.failed(permit, error, started)
            raise
        self.returned(permit, result, started)
        return result

    def guard(self) -> Guard:
        """Return a context manager, for ``with`` and ``async with``, whose block counts as one call.

        Entering raises :class:`~crisol.errors.CircuitOpenError` if the breaker rejects the call. After the
        ``timeout`` of the breaker's policy, ``async with`` interrupts the block with ``TimeoutError``; a
        ``with`` block that takes longer runs to its end and counts as a failure.
        """
        return Guard(self)

    def failed(self, permit: int, error: BaseException, started: float) -> None:
        """Report that an admitted call raised ``error``; the policy decides whether it counts as a failure.

        The error counts if its type is in the policy's ``record`` and not in the policy's ``ignore``. An
        exception group counts if one of its exceptions does. ``permit`` is the number with which the call was
        admitted; ``started`` is the time of its start, in seconds of the breaker's clock.
        """
        policy = self.policy
        members = _members(error)
        if isinstance(error, policy.ignore) or not any(
            isinstance(member, policy.record) and not isinstance(member, policy.ignore) for member in members
        ):
            self.release(permit)
        else:
            timeout = any(isinstance(member, TimeoutError) for member in members)
            self.failure(permit, self._since(started), timeout=timeout)

    def returned(self, permit: int, result: object, started: float, *, late: float | None = None) -> None:
        """Report that an admitted call returned ``result``, which counts as a success or as a failure.

        It is a failure if the policy's ``is_failure(result)`` is true, or if the call took more than ``late``
        seconds (None: no limit). ``permit`` is the number with which the call was admitted; ``started`` is
        the time of its start, in seconds of the breaker's clock. Raises what ``is_failure`` raises; the call
        is then not counted.
        """
        seconds = self._since(started)
        timeout = late is not None and seconds > late
        judge = self.policy.is_failure
        try:
            bad = timeout or (judge is not None and bool(judge(result)))
        except BaseException:
            self.release(permit)
            raise
        if bad:
            self.failure(permit, seconds, timeout=timeout)
        else:
            self.success(permit, seconds)

    def _since(self, started: float) -> float:
        return max(self.clock() - started, 0.0) if self.policy.timed else 0.0

    def _wrap_quick(self, fn: Callable[P, Coroutine[Any, Any, T]]) -> Callable[P, Coroutine[Any, Any, T]]:
        @functools.wraps(fn)
        async def guarded(*args: P.args, **kwargs: P.kwargs) -> T:
            permit = self.generation if self.quiet else self.acquire()
            try:
                result = await fn(*args, **kwargs)
            except BaseException as error:
                self.failed(permit, error, 0.0)
                raise
            # A quiet breaker has only successes in its window, so one more can change nothing but the count.
            if self.quiet and permit == self.generation:
                self.successes += 1
            else:
                self.success(permit)
            return result

        return guarded

    def _wrap_timed(self, fn: Callable[P, Coroutine[Any, Any, T]]) -> Callable[P, Coroutine[Any, Any, T]]:
        @functools.wraps(fn)
        async def guarded(*args: P.args, **kwargs: P.kwargs) -> T:
            return await self.call(fn, *args, **kwargs)

        return guarded

    def _wrap_plain(self, fn: Callable[P, T]) -> Callable[P, T]:
        @functools.wraps(fn)
        def guarded(*args: P.args, **kwargs: P.kwargs) -> T:
            return self._run(self.acquire(), fn, args, kwargs)

        return guarded


def _is_async(fn: Callable[..., Any]) -> bool:
    return inspect.iscoroutinefunction(fn) or inspect.iscoroutinefunction(getattr(fn, "__call__", None))  # noqa: B004 - the question is whether calling gives a coroutine


def _members(error: BaseException) -> list[BaseException]:
    if not isinstance(error, BaseExceptionGroup):
        return [error]
    members: list[BaseException] = []
    waiting: list[BaseException] = [error]
    while waiting:
        member = waiting.pop()
        if isinstance(member, BaseExceptionGroup):
            waiting.extend(member.exceptions)
        else:
            members.append(member)
    return members


class Guard:
    """A context manager whose block counts as one call of ``breaker``; use each object once.

    ``with`` and ``async with`` both work. Entering raises :class:`~crisol.errors.CircuitOpenError` if the
    breaker rejects the call, and ``RuntimeError`` for an object that was used already.
    """

    __slots__ = ("_breaker", "_permit", "_started", "_timeout")

    def __init__(self, breaker: CircuitBreaker) -> None:
        self._breaker = breaker
        self._permit = 0
        self._started = 0.0
        self._timeout: asyncio.Timeout | None = None

    def __enter__(self) -> Self:
        if self._permit:
            raise RuntimeError("this guard is in use; take a new one with breaker.guard()")
        self._permit = self._breaker.acquire()
        self._started = self._breaker.clock() if self._breaker.policy.timed else 0.0
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is not None:
            self._breaker.failed(self._permit, error, self._started)
            return
        seconds = self._breaker._since(self._started)  # noqa: SLF001 - the guard is the breaker's other half
        late = self._timeout is None and self._breaker.policy.timeout
        if late and seconds > late:
            self._breaker.failure(self._permit, seconds, timeout=True)
        else:
            self._breaker.success(self._permit, seconds)

    async def __aenter__(self) -> Self:
        self.__enter__()
        if self._breaker.policy.timeout is not None:
            try:
                self._timeout = asyncio.timeout(self._breaker.policy.timeout)
                await self._timeout.__aenter__()
            except BaseException:
                self._breaker.release(self._permit)
                raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._timeout is not None:
            try:
                await self._timeout.__aexit__(kind, error, trace)
            except TimeoutError as ran_out:
                self._breaker.failed(self._permit, ran_out, self._started)
                raise
        self.__exit__(kind, error, trace)


class BreakerRegistry:
    """The circuit breakers of one process: ``registry[name]`` returns the breaker ``name``.

    Iteration yields the breakers, in the order in which :meth:`create` made them; ``len`` is their number.
    ``clock`` is a function that returns the time in seconds; all the breakers use it.
    """

    def __init__(self, *, clock: Clock = time.monotonic) -> None:
        self._clock = clock
        self._breakers: dict[str, CircuitBreaker] = {}
        self._listeners: list[Callable[[str, State, State], None]] = []
        self._lock = threading.Lock()

    def create(self, name: str, policy: BreakerPolicy | None = None) -> CircuitBreaker:
        """Return the breaker ``name``; if there is none, make it with ``policy``.

        A ``policy`` of None means ``BreakerPolicy()``. Raises :class:`~crisol.errors.SettingsError` if the
        breaker exists with another policy. ``registry[name]`` returns a breaker whatever its policy is.
        """
        expected = policy if policy is not None else BreakerPolicy()
        with self._lock:
            breaker = self._breakers.get(name)
            if breaker is None:
                breaker = CircuitBreaker(name, expected, clock=self._clock)
                for listener in self._listeners:
                    breaker.add_listener(listener)
                self._breakers[name] = breaker
        if breaker.policy != expected:
            raise SettingsError(
                f"breaker {name!r} exists with another policy; ask for it by registry[{name!r}]"
            )
        return breaker

    def add_listener(self, listener: Callable[[str, State, State], None]) -> None:
        """Have ``listener(name, old, new)`` called after each change of state of any breaker.

        Breakers that are made later are included. ``name`` is the breaker's name; ``old`` and ``new`` are the
        states (:class:`~crisol.resilience.breaker.State`) before and after the change. An exception that the
        listener raises is logged and not passed on.
        """
        with self._lock:
            self._listeners.append(listener)
            for breaker in self._breakers.values():
                breaker.add_listener(listener)

    def snapshot(self) -> list[BreakerSnapshot]:
        """Return a snapshot of each breaker, in the order in which :meth:`create` made the breakers."""
        return [breaker.snapshot() for breaker in list(self._breakers.values())]

    def __getitem__(self, name: str) -> CircuitBreaker:
        """Return the breaker ``name``; raises ``KeyError`` if there is none."""
        return self._breakers[name]

    def __iter__(self) -> Iterator[CircuitBreaker]:
        return iter(list(self._breakers.values()))

    def __len__(self) -> int:
        return len(self._breakers)
