"""The rung of the memory: it decides by the verdicts known for similar patches of a vulnerability."""

from __future__ import annotations

import asyncio
import logging
import math
import time
from typing import TYPE_CHECKING

from crisol.errors import CrisolError, ModelError, UnknownVulnerability
from crisol.evidence.memory import Judged, Memory
from crisol.evidence.similarity import sketch
from crisol.records import Decision, Outcome, Source
from crisol.validation.by_content import ByContent
from crisol.wargaming.candidates import reference
from crisol.wargaming.fitting import fitted

if TYPE_CHECKING:
    from pathlib import Path

    from crisol.diff import Patch
    from crisol.evidence.memory import Near, Recall
    from crisol.evidence.similarity import Sketch
    from crisol.model.policy import LadderPolicy
    from crisol.records import Prediction, Verdict
    from crisol.resilience.clock import Clock
    from crisol.validation.catalogue import Catalogue, Pattern
    from crisol.validation.ladder import Case, Submission
    from crisol.validation.model_rung import ModelRung

__all__ = ["MemoryRung"]

_INLINE_CHARACTERS = 32_768
_RETRY_SECONDS = 60.0
_log = logging.getLogger(__name__)


class MemoryRung:
    """The rung that decides a patch by the verdicts on similar patches of the same vulnerability.

    The memory of a vulnerability holds the verdicts that :meth:`add` and :meth:`learn` store, and the known
    fix as a valid patch. The rung reads the fix in the background, when the first patch for that
    vulnerability comes. The rung decides nothing without a second stage, and nothing for a vulnerability
    whose memory is empty.

    ``model`` is the model rung; the model in use and its second stage are taken from it. ``catalogue`` finds
    vulnerabilities; ``cache`` is the folder of downloaded releases. ``clock`` returns seconds. After the
    start add all stored verdicts, then set ``filled`` to True; until then decisions name ``memory`` as
    missing. Use it in one event loop.
    """

    stamp = "memory-1"
    """The version of this rung; that of the second stage is a part of the model's stamp."""

    def __init__(
        self, model: ModelRung, catalogue: Catalogue, cache: Path, *, clock: Clock = time.monotonic
    ) -> None:
        self.memories: ByContent[Memory] = ByContent(Memory)
        self.filled = False
        self._model = model
        self._catalogue = catalogue
        self._cache = cache
        self._clock = clock
        self._fixes: dict[str, tuple[str, float]] = {}
        """By id: the content of a vulnerability whose known fix was read, and the time of another reading."""
        self.reading: set[asyncio.Task[None]] = set()
        """The background tasks that read known fixes now."""

    @property
    def serves(self) -> bool:
        """Whether the model in use has a second stage; without one, this rung decides nothing."""
        return self._model.served.second is not None

    async def __call__(self, case: Case) -> Decision | None:
        """Return the decision if the policy of the second stage lets this rung decide, otherwise None.

        The rung does not decide without a second stage, for a vulnerability that is not registered or has no
        memory yet, or if the model gives no prediction. While the memories are not filled, the call appends
        ``memory`` to ``case.missing``.
        """
        served, pattern = self._model.served, case.pattern
        if served.second is None or pattern is None:
            return None
        if not self.filled:
            case.missing.append("memory")
        self._start_reading(pattern)
        memory = self.memories.get(pattern.id, pattern.content_hash)
        prediction = None if memory is None else await self._model.predict(case)
        if memory is None or prediction is None:
            return None
        patch, text = case.submission.patch, case.submission.text
        recall = memory.recall(await _sketched(patch, text), prediction.probability)
        probability = served.second.probability(recall.row)
        return _decision(served.ladder, recall, probability, prediction, tuple(case.missing))

    async def learn(self, submission: Submission, pattern: Pattern, verdict: Verdict) -> None:
        """Store the verdict of a wargame on the patch of ``submission``, for later patches.

        ``pattern`` is the vulnerability. Nothing is stored if the verdict is inconclusive, or if the model in
        use has no second stage or fails.
        """
        predictor = self._model.served.predictor
        if self._model.served.second is None or predictor is None:
            return
        if verdict.outcome is Outcome.INCONCLUSIVE:
            return
        patch = submission.patch
        seen = await _sketched(patch, submission.text)
        try:
            cold = await asyncio.to_thread(predictor.predict, patch, submission.cwe or pattern.cwe)
        except ModelError:
            return
        reason = "" if verdict.reason is None else verdict.reason.value
        valid = verdict.outcome is Outcome.VALID
        judged = Judged(patch.identity, seen, valid=valid, probability=cold.probability, reason=reason)
        self.add((pattern.id, pattern.content_hash), judged)

    async def close(self) -> None:
        """Cancel the background work that reads known fixes."""
        for task in self.reading:
            task.cancel()
        await asyncio.gather(*self.reading, return_exceptions=True)

    def _start_reading(self, pattern: Pattern) -> None:
        content, again = self._fixes.get(pattern.id, ("", 0.0))
        if content == pattern.content_hash and self._clock() < again:
            return
        self._fixes[pattern.id] = pattern.content_hash, math.inf  # _read_fix sets a time if it fails
        task = asyncio.create_task(self._read_fix(pattern), name=f"fix {pattern.id}")
        self.reading.add(task)
        task.add_done_callback(self.reading.discard)

    async def _read_fix(self, pattern: Pattern) -> None:
        try:
            judged = await asyncio.to_thread(self._judged_fix, pattern)
        except (CrisolError, OSError) as error:
            _log.warning("the known fix of %s is not in the memory: %s", pattern.id, error)
            self._fixes[pattern.id] = pattern.content_hash, self._clock() + _RETRY_SECONDS
            return
        if judged is not None:
            self.add((pattern.id, pattern.content_hash), judged)

    def _judged_fix(self, pattern: Pattern) -> Judged | None:
        vulnerability, predictor = self._catalogue.open(pattern.id), self._model.served.predictor
        if vulnerability is None or vulnerability.content_hash != pattern.content_hash:
            raise UnknownVulnerability(f"{pattern.id} was changed or removed meanwhile")
        if predictor is None:
            raise ModelError("no model is in use")
        fix = reference(vulnerability, self._cache)
        if fix is None:
            return None
        patch = fitted(fix.diff, vulnerability.vulnerable(self._cache)).patch
        probability = predictor.predict(patch, pattern.cwe).probability
        return Judged(patch.identity, sketch(patch), valid=True, probability=probability)

    def add(self, content: tuple[str, str], judged: Judged) -> None:
        """Store a patch with its verdict, ``judged``; a patch that already has a verdict keeps it.

        ``content`` is (vulnerability id, content hash).
        """
        memory = self.memories.of(*content)
        if judged.identity not in memory:
            memory.add(judged)


async def _sketched(patch: Patch, text: str) -> Sketch:
    return sketch(patch) if len(text) <= _INLINE_CHARACTERS else await asyncio.to_thread(sketch, patch)


def _decision(
    ladder: LadderPolicy,
    recall: Recall,
    probability: float,
    prediction: Prediction,
    missing: tuple[str, ...],
) -> Decision | None:
    outcome = ladder.remembered(probability, recall.known)
    if outcome is None:
        return None
    near = ", ".join(_shown(near) for near in (recall.valid, recall.invalid) if near is not None)
    bound = (
        f"accepted from {ladder.memory.accept:g} on"
        if outcome is Outcome.VALID
        else f"refused up to {ladder.memory.reject:g}"
    )
    return Decision(
        outcome,
        Source.MEMORY,
        probability if outcome is Outcome.VALID else 1.0 - probability,
        prediction=prediction,
        degraded=missing,
        evidence=f"{recall.known} verdicts known; nearest {near}; probability {probability:.4f}, {bound}",
    )


def _shown(near: Near) -> str:
    return f"{'valid' if near.valid else 'invalid'} {near.identity} (similarity {near.similarity:.2f})"
