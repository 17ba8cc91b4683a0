from __future__ import annotations

import asyncio
import shutil
from contextlib import asynccontextmanager
from functools import cache
from pathlib import Path
from tempfile import mkdtemp
from time import perf_counter
from typing import TYPE_CHECKING, Any

import pytest

from crisol.chaos import models
from crisol.diff import parse
from crisol.errors import Overloaded, UnknownVulnerability
from crisol.model.policy import NEVER, Policy
from crisol.model.predictor import Predictor
from crisol.records import Outcome, Prediction, Reason, Source
from crisol.resilience.cache import Cache
from crisol.resilience.guard import CircuitBreaker
from crisol.resilience.policy import BreakerPolicy
from crisol.validation.catalogue import Catalogue
from crisol.validation.decide import from_model
from crisol.validation.validator import SANDBOX, Brain, Submission, Validator
from crisol.validation.wargames import Referees
from support.served import FLAW, VULNERABILITIES, foreign, model_folder, predictor, right, wrong

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

pytestmark = pytest.mark.integration
ALWAYS = Policy(accept=0.0)


@cache
def broken(how: Callable[[Path], None]) -> Predictor:
    """Return a compiled model that was loaded without complaint and goes wrong when it is asked."""
    folder = Path(mkdtemp(prefix="crisol-model-")) / "model"
    shutil.copytree(model_folder(), folder)
    how(folder)
    return Predictor.load(folder)


@asynccontextmanager
async def validating(
    policy: Policy = NEVER, model: Any = None, root: Path = VULNERABILITIES, **options: Any
) -> AsyncIterator[Validator]:
    cache = Cache()
    catalogue = Catalogue(root, cache)
    async with Referees(catalogue, Path("unused"), **options) as referees:
        yield Validator(
            Brain(predictor() if model is None else model, policy),
            cache,
            catalogue,
            referees,
            model=CircuitBreaker("ml_model", BreakerPolicy(consecutive_failures=2)),
            sandbox=CircuitBreaker("sandbox", SANDBOX),
        )


def submission(text: str, vulnerability: str = FLAW) -> Submission:
    return Submission(parse(text), text, vulnerability)


def test_an_unsure_model_leaves_the_decision_to_the_wargame_once() -> None:
    """Right and wrong patches get the truth; asked again, even differently wrapped, the answer is the cache's."""

    async def scenario() -> None:
        async with validating() as validator:
            good = await validator.decide(submission(right()))
            bad = await validator.decide(submission(wrong()))
            assert (good.decision.outcome, good.decision.source) == (Outcome.VALID, Source.WARGAME)
            assert (bad.decision.outcome, bad.decision.reason) == (Outcome.INVALID, Reason.EXPLOIT_SURVIVES)
            assert bad.decision.detail
            assert not good.cached
            assert good.decision.prediction is not None
            again = await validator.decide(submission(f"From: somebody\n\n{right()}"))
            assert again.cached
            assert again.decision == good.decision

    asyncio.run(scenario())


def test_a_sure_model_decides_without_a_wargame() -> None:
    async def scenario() -> None:
        async with validating(ALWAYS) as validator:
            found = await validator.decide(submission(wrong()))
            assert (found.decision.source, found.decision.outcome) == (Source.MODEL, Outcome.VALID)
            assert not found.decision.advisory
            verdict = (await validator.validate(submission(wrong()))).decision.verdict
            assert verdict is not None
            await validator.correct(found, verdict)
            corrected = await validator.decide(submission(wrong()))
            assert corrected.cached
            assert (corrected.decision.source, corrected.decision.outcome) == (
                Source.WARGAME,
                Outcome.INVALID,
            )

    asyncio.run(scenario())


def test_an_unknown_vulnerability_is_predicted_and_never_wargamed() -> None:
    async def scenario() -> None:
        async with validating() as validator:
            for name in ("", "CVE-1999-0001", "../arena/arena-zip-slip", "a" * 65):
                found = await validator.decide(submission(foreign(), name))
                assert (found.decision.source, found.decision.advisory) == (Source.MODEL, True)
                assert found.pattern is None
            with pytest.raises(UnknownVulnerability, match="CVE-1999-0001"):
                await validator.validate(submission(foreign(), "CVE-1999-0001"))

    asyncio.run(scenario())


def test_a_dead_model_means_wargame_and_is_named_and_not_kept() -> None:
    async def scenario() -> None:
        async with validating(model=broken(models.raising)) as validator:
            for _ in range(3):
                found = await validator.decide(submission(wrong()))
                assert (found.decision.source, found.decision.degraded) == (Source.WARGAME, ("ml_model",))
                assert not found.cached
            lost = await validator.decide(submission(foreign(), ""))
            assert (lost.decision.outcome, lost.decision.source) == (Outcome.INCONCLUSIVE, Source.FALLBACK)

    asyncio.run(scenario())


def test_a_slow_model_holds_nobody_else_up_and_too_many_at_once_do_without_it() -> None:
    """Two slow answers, and the next are worked out beside the event loop: two at a time, four in all."""

    async def scenario() -> None:
        async with validating(ALWAYS, model=broken(models.slow)) as validator:
            for number in (0, 20):
                await validator.decide(submission(foreign(number), ""))
            late = [asyncio.create_task(validator.decide(submission(foreign(n), ""))) for n in range(1, 11)]
            longest, before = 0.0, perf_counter()
            while not all(task.done() for task in late):
                await asyncio.sleep(0.005)
                longest, before = max(longest, perf_counter() - before), perf_counter()
            found = [task.result().decision for task in late]
            slowest = max(one.prediction.seconds for one in found if one.prediction is not None)
            assert longest < slowest
            assert [one.source for one in found].count(Source.MODEL) == 4
            assert all(one.degraded == ("ml_model",) for one in found if one.source is Source.FALLBACK)

    asyncio.run(scenario())


def test_without_a_sandbox_the_models_guess_is_marked_as_fallback() -> None:
    async def scenario() -> None:
        async with validating(sandbox="no such sandbox") as validator:
            found = await validator.decide(submission(right()))
            assert (found.decision.source, found.decision.degraded) == (Source.FALLBACK, ("sandbox",))
            assert found.decision.advisory
            assert found.decision.outcome is not Outcome.INCONCLUSIVE

    asyncio.run(scenario())


def test_the_same_patch_asked_for_by_many_at_once_is_wargamed_once() -> None:
    async def scenario() -> None:
        async with validating() as validator:
            found = await asyncio.gather(*(validator.decide(submission(right())) for _ in range(20)))
            assert {one.decision.outcome for one in found} == {Outcome.VALID}
            assert validator._referees.stats.done == 1

    asyncio.run(scenario())


def test_a_full_line_turns_away_and_says_for_how_long() -> None:
    """One at a time, one in line: of many different patches at once all but two are told to come back."""

    async def scenario() -> None:
        async with validating(concurrency=1, line=1) as validator:
            texts = [wrong().replace("closed", f"closed {number}") for number in range(6)]
            found = await asyncio.gather(
                *(validator.decide(submission(text)) for text in texts), return_exceptions=True
            )
            away = [one for one in found if isinstance(one, Overloaded)]
            assert len(away) == 4
            assert all(one.retry_after >= 1.0 for one in away)
            stats = validator._referees.stats
            assert (stats.waiting, stats.running, stats.rejected, stats.done) == (0, 0, 4, 2)

    asyncio.run(scenario())


def test_sandboxes_are_kept_open_only_up_to_the_bound() -> None:
    async def scenario() -> None:
        async with validating(concurrency=1, warm=1) as validator:
            for flaw in ("arena-sort-arguments", "arena-slug-redos", "arena-sort-arguments"):
                await validator.wargame(
                    submission(foreign(), flaw),
                    await validator._catalogue.find(flaw),  # type: ignore[arg-type]  # it is there
                )
            assert validator._referees.stats.open == 1
        assert validator._referees.stats.open == 0

    asyncio.run(scenario())


def test_a_changed_vulnerability_is_never_answered_by_an_old_verdict(tmp_path: Path) -> None:
    """The content hash is part of every key, so a new PoV asks for a new wargame."""
    folder = tmp_path / "arena" / FLAW
    shutil.copytree(VULNERABILITIES / "arena" / FLAW, folder)

    async def scenario() -> None:
        async with validating(root=tmp_path) as validator:
            before = await validator.decide(submission(right()))
            assert before.decision.outcome is Outcome.VALID
            (folder / "pov" / "9_always.py").write_text("raise SystemExit(0)\n")
            await validator._cache.invalidate(f"vulnerability:{FLAW}")
            after = await validator.decide(submission(right()))
            assert not after.cached
            assert after.decision.reason is Reason.VARIANT_SURVIVES

    asyncio.run(scenario())


@pytest.mark.parametrize(
    ("probability", "outcome"),
    [(0.95, Outcome.VALID), (0.9, Outcome.VALID), (0.5, None), (0.1, Outcome.INVALID)],
)
def test_thresholds_decide_at_their_own_value(probability: float, outcome: Outcome | None) -> None:
    decision = from_model(Prediction(probability, "m", "f"), Policy(accept=0.9, reject=0.1))
    assert (decision.outcome if decision else None) is outcome
    assert decision is None or decision.confidence == pytest.approx(max(probability, 1 - probability))
