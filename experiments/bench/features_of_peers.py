"""List, for each feature of breakers, limiters and caches, the parameters by which a library takes it.

    python experiments/bench/features_of_peers.py

Prints three Markdown tables. A cell names the parameters of the library's public constructors and methods
that carry the feature; ``no`` means that none of them does; free keyword arguments are not seen. Libraries
that are not installed (they come with the extra ``dev``) are left out and named.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Mapping
from typing import Any

from peers import library, missing, print_table

from crisol.backends.redis import RedisBucket
from crisol.resilience.adaptive import AdaptivePolicy
from crisol.resilience.bucket import Rate, TokenBucket
from crisol.resilience.cache import Cache
from crisol.resilience.guard import CircuitBreaker
from crisol.resilience.kinds import Kind
from crisol.resilience.policy import BreakerPolicy
from crisol.service.ratelimit import RateLimitMiddleware

BREAKERS = {
    "opens by a rate of failures": "failure_rate",
    "opens by slow calls": "slow",
    "a window, of calls or of time": "window",
    "a time-out of the call": "^timeout$",
    "a number of probes": "^probes",
    "successes that close it": "success",
    "back-off and jitter": "backoff|jitter",
    "exceptions that do not count": "exclude|ignore|expected",
    "results that are failures": "is_failure",
    "a clock that can be given": "^clock$",
    "state that processes share": "storage|^uow$",
}
LIMITERS = {
    "a burst beside the rate": "burst",
    "a cost of more than one": "^cost$",
    "what happens when the store is away": "fallback",
    "a limit that follows latency": "target_seconds|adaptive",
    "headers": "headers|^route$",
    "a clock that can be given": "^clock$",
    "further stores": "^storage$|^store$|storage_uri",
}
CACHES = {
    "protection from stampedes": "^protected$|^lock$|lease|^fn$",
    "early refresh": "early",
    "tags": "^tags$",
    "a bound in bytes": "budget",
    "jitter of lives": "jitter",
    "a life of its own for nothing": "negative",
    "a clock that can be given": "^clock$|^timer$",
}


def parameters(*callables: Callable[..., Any] | None) -> set[str]:
    """Return the names of all parameters of these."""
    return {
        name
        for function in callables
        if function is not None
        for name in inspect.signature(function).parameters
    }


def show(title: str, features: Mapping[str, str], packages: Mapping[str, set[str]]) -> None:
    """Print which parameters of each library carry each feature."""
    rows = {
        feature: [
            ", ".join(f"`{name}`" for name in sorted(names) if re.search(pattern, name)) or "no"
            for names in packages.values()
        ]
        for feature, pattern in features.items()
    }
    print_table(title, list(packages), rows, what="feature")


def of(name: str, *paths: str) -> dict[str, set[str]]:
    """Return the parameters of a library's callables, named by dotted paths.

    Nothing where it is not installed.
    """
    package = library(name)
    if package is None:
        return {}
    functions = []
    for path in paths:
        value = package
        for part in path.split("."):
            value = getattr(value, part)
        functions.append(value)
    return {name: parameters(*functions)}


def main() -> None:
    """Print the tables."""
    show(
        "Circuit breakers",
        BREAKERS,
        {"crisol": parameters(CircuitBreaker, BreakerPolicy)}
        | of("circuitbreaker", "CircuitBreaker", "circuit")
        | of("aiobreaker", "CircuitBreaker")
        | of("purgatory", "AsyncCircuitBreakerFactory", "AsyncCircuitBreakerFactory.get_breaker")
        | of("pybreaker", "CircuitBreaker"),
    )
    show(
        "Rate limiters",
        LIMITERS,
        {
            "crisol": parameters(
                Rate, TokenBucket, TokenBucket.take, RedisBucket, RateLimitMiddleware, AdaptivePolicy
            )
        }
        | of(
            "limits",
            "strategies.FixedWindowRateLimiter",
            "strategies.FixedWindowRateLimiter.hit",
            "storage.MemoryStorage",
        )
        | of("slowapi", "Limiter", "Limiter.limit")
        | of("throttled", "Throttled", "Throttled.limit", "rate_limiter.per_sec", "MemoryStore"),
    )
    show(
        "Caches",
        CACHES,
        {"crisol": parameters(Cache, Cache.get_or_compute, Kind)}
        | of("cashews", "Cache", "Cache.cache", "Cache.early", "Cache.set", "Cache.setup")
        | of("aiocache", "cached_stampede", "cached", "SimpleMemoryCache")
        | of("cachetools", "TTLCache", "cached"),
    )
    if missing:
        print(f"\nnot installed, left out: {', '.join(sorted(missing))}")


if __name__ == "__main__":
    main()
