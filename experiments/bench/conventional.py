"""The service as it is conventionally built, for comparison: what `bench_service.py` measures Crisol against.

FastAPI models in and out, three layers of BaseHTTPMiddleware, a scikit-learn forest, ``wait_for`` around it,
a dictionary as cache.
"""

from __future__ import annotations

import asyncio
import hashlib
import time
from collections import Counter

import numpy as np
from fastapi import FastAPI, Request, Response
from pydantic import BaseModel
from sklearn.ensemble import RandomForestClassifier
from starlette.middleware.base import BaseHTTPMiddleware, RequestResponseEndpoint

_WORDS = ("if", "raise", "return", "len", "check", "path", "open", "eval", "escape")


class Ask(BaseModel):
    """A patch."""

    diff: str
    vulnerability: str | None = None
    cwe: str | None = None


class Answer(BaseModel):
    """What the forest says."""

    outcome: str
    source: str
    confidence: float


def application() -> FastAPI:
    """Return the application, its forest trained on noise: what it says does not matter here."""
    rng = np.random.default_rng(0)
    forest = RandomForestClassifier(100, random_state=0).fit(
        rng.random((500, len(_WORDS))), rng.integers(0, 2, 500)
    )
    app = FastAPI()
    cache: dict[str, Answer] = {}
    seen: Counter[str] = Counter()

    async def count(request: Request, following: RequestResponseEndpoint) -> Response:
        seen[request.url.path] += 1
        return await following(request)

    async def measure(request: Request, following: RequestResponseEndpoint) -> Response:
        start = time.perf_counter()
        response = await following(request)
        response.headers["x-seconds"] = f"{time.perf_counter() - start:.6f}"
        return response

    async def protect(request: Request, following: RequestResponseEndpoint) -> Response:
        response = await following(request)
        response.headers["x-content-type-options"] = "nosniff"
        return response

    for layer in (count, measure, protect):
        app.add_middleware(BaseHTTPMiddleware, dispatch=layer)

    def predict(diff: str) -> Answer:
        row = np.array([[diff.count(word) for word in _WORDS]])
        probability = float(forest.predict_proba(row)[0, 1])
        return Answer(
            outcome="valid" if probability >= 0.5 else "invalid",
            source="model",
            confidence=max(probability, 1.0 - probability),
        )

    @app.post("/wargaming/ml-first")
    async def ml_first(ask: Ask) -> Answer:
        key = hashlib.sha256(ask.diff.encode()).hexdigest()
        if key not in cache:
            cache[key] = await asyncio.wait_for(asyncio.to_thread(predict, ask.diff), 10.0)
        return cache[key]

    return app
