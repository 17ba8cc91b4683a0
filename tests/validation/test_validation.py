from __future__ import annotations

import asyncio
import os
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
from crisol.records import Decision, Outcome, Phase, PhaseName, Reason, Source, Verdict
from crisol.resilience.breaker import State
from crisol.resilience.cache import Cache
from crisol.resilience.clock import FakeClock
from crisol.resilience.guard import CircuitBreaker
from crisol.resilience.policy import BreakerPolicy
from crisol.validation.catalogue import Catalogue
from crisol.validation.ladder import Case, Submission
from crisol.validation.model_rung import ModelRung, ServedModel
from crisol.validation.validator import SANDBOX, Validator
from crisol.validation.wargames import Referees
from crisol.wargaming.referee import Match
from support.served import FLAW, VULNERABILITIES, foreign, idle, model_folder, predictor, right, wrong

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
    policy: Policy = NEVER, model: Any = None, root: Path = VULNERABILITIES, rungs: Any = (), **options: Any
) -> AsyncIterator[Validator]:
    cache = Cache()
    catalogue = Catalogue(root, cache)
    async with Referees(catalogue, Path("unused"), **options) as referees:
        yield Validator(
            ModelRung(
                ServedModel(predictor() if model is None else model, policy),
                CircuitBreaker("ml_model", BreakerPolicy(consecutive_failures=2)),
            ),
            cache,
            catalogue,
            referees,
            rungs=rungs,
            sandbox=CircuitBreaker("sandbox", SANDBOX),
        )


def submission(text: str, vulnerability: str = FLAW) -> Submission:
    return Submission(parse(text), text, vulnerability)


def test_an_unsure_model_leaves_the_decision_to_the_wargame_once() -> None:
    """Right and wrong patches get the truth.

    Asked again, even differently wrapped, the answer is the cache's.
    """

    async def scenario() -> None:
        async with validating() as validator:
            good = await validator.decide(submission(right()))
            bad = await validator.decide(submission(wrong()))
            assert (good.decision.outcome, good.decision.source) == (Outcome.VALID, Source.WARGAME)
            assert bad.decision.outcome is Outcome.INVALID
            # The order of scripts, and with it the reason, is learnt.
            assert bad.decision.reason in {Reason.EXPLOIT_SURVIVES, Reason.VARIANT_SURVIVES}
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
            validated = await validator.decide(submission(wrong()))
            assert (validated.decision.source, validated.decision.outcome) == (Source.MODEL, Outcome.VALID)
            assert not validated.decision.advisory
            verdict = (await validator.validate(submission(wrong()))).decision.verdict
            assert verdict is not None
            await validator.correct(validated, verdict)
            corrected = await validator.decide(submission(wrong()))
            assert corrected.cached
            assert (corrected.decision.source, corrected.decision.outcome) == (
                Source.WARGAME,
                Outcome.INVALID,
            )

    asyncio.run(scenario())


def test_an_unknown_vulnerability_is_predicted_and_neither_decided_nor_wargamed() -> None:
    """However sure the model is: the guarantee of its policy speaks of registered vulnerabilities."""

    async def scenario() -> None:
        async with validating(ALWAYS) as validator:
            for name in ("", "CVE-1999-0001", "../arena/arena-zip-slip", "a" * 65):
                validated = await validator.decide(submission(foreign(), name))
                assert (validated.decision.outcome, validated.decision.source) == (None, Source.FALLBACK)
                assert validated.decision.advisory
                assert validated.decision.prediction is not None
                assert validated.pattern is None
            with pytest.raises(UnknownVulnerability, match="CVE-1999-0001"):
                await validator.validate(submission(foreign(), "CVE-1999-0001"))

    asyncio.run(scenario())


def test_a_dead_model_means_wargame_and_is_named_and_not_kept() -> None:
    async def scenario() -> None:
        async with validating(model=broken(models.raising)) as validator:
            for _ in range(3):
                validated = await validator.decide(submission(wrong()))
                assert (validated.decision.source, validated.decision.degraded) == (
                    Source.WARGAME,
                    ("ml_model",),
                )
                assert not validated.cached
            lost = await validator.decide(submission(foreign(), ""))
            assert (lost.decision.outcome, lost.decision.source) == (None, Source.FALLBACK)

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
            decisions = [task.result().decision for task in late]
            predictions = [decision.prediction for decision in decisions]
            slowest = max(prediction.seconds for prediction in predictions if prediction is not None)
            assert longest < slowest
            asked = [decision.prediction is not None for decision in decisions]
            assert asked.count(True) == 4
            assert [decision.degraded for decision in decisions] == [
                () if seen else ("ml_model",) for seen in asked
            ]

    asyncio.run(scenario())


def test_without_a_sandbox_the_outcome_is_unknown_and_the_models_guess_is_advice() -> None:
    async def scenario() -> None:
        async with validating(sandbox="no such sandbox") as validator:
            validated = await validator.decide(submission(right()))
            assert (validated.decision.source, validated.decision.degraded) == (Source.FALLBACK, ("sandbox",))
            assert validated.decision.advisory
            assert (validated.decision.outcome, validated.decision.confidence) == (None, 0.0)
            assert validated.decision.prediction is not None

    asyncio.run(scenario())


def test_the_same_patch_asked_for_by_many_at_once_is_wargamed_once() -> None:
    async def scenario() -> None:
        async with validating() as validator:
            answers = await asyncio.gather(*(validator.decide(submission(right())) for _ in range(20)))
            assert {validated.decision.outcome for validated in answers} == {Outcome.VALID}
            assert validator._referees.stats.done == 1

    asyncio.run(scenario())


def test_a_full_line_turns_away_and_says_for_how_long() -> None:
    """One at a time, one in line: of many different patches at once all but two are told to come back."""

    async def scenario() -> None:
        async with validating(concurrency=1, line=1) as validator:
            texts = [wrong(number) for number in range(6)]
            answers = await asyncio.gather(
                *(validator.decide(submission(text)) for text in texts), return_exceptions=True
            )
            away = [answer for answer in answers if isinstance(answer, Overloaded)]
            assert len(away) == 4
            assert all(answer.retry_after >= 1.0 for answer in away)
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


def test_an_edited_vulnerability_is_wargamed_anew_without_a_restart(tmp_path: Path) -> None:
    """Nobody clears a cache.

    The new PoV judges the next patch, by ml-first as by validate, and so it goes on.
    """
    folder = tmp_path / "arena" / FLAW
    shutil.copytree(VULNERABILITIES / "arena" / FLAW, folder)

    async def scenario() -> None:
        async with validating(root=tmp_path) as validator:
            before = await validator.decide(submission(right()))
            assert before.decision.outcome is Outcome.VALID
            pov = folder / "pov" / "9_always.py"
            pov.write_text("raise SystemExit(0)\n")
            after = await validator.decide(submission(right()))
            assert not after.cached
            assert after.decision.reason is Reason.VARIANT_SURVIVES
            alone = await validator.validate(submission(right()))
            assert alone.decision.reason is Reason.VARIANT_SURVIVES
            pov.unlink()
            restored = await validator.validate(submission(right()))
            assert (restored.cached, restored.decision.outcome) == (True, Outcome.VALID)

    asyncio.run(scenario())


def test_an_edit_of_the_same_length_and_time_is_seen(tmp_path: Path) -> None:
    """What is remembered at once is at most a second old.

    A new look costs no reading where nothing changed.
    """
    folder = tmp_path / "arena" / FLAW
    shutil.copytree(VULNERABILITIES / "arena" / FLAW, folder)
    check = next((folder / "checks").glob("*.py"))
    clock = FakeClock()

    async def scenario() -> None:
        catalogue = Catalogue(tmp_path, Cache(), clock=clock)
        before = await catalogue.find(FLAW)
        assert before is not None
        assert catalogue.known(FLAW) is before
        status = check.stat()
        check.write_text(check.read_text().replace("e", "o", 1))
        os.utime(check, ns=(status.st_atime_ns, status.st_mtime_ns))
        assert catalogue.known(FLAW) is before
        clock.advance(1.1)
        assert catalogue.known(FLAW) is None
        after = await catalogue.find(FLAW)
        assert after is not None
        assert after.content_hash != before.content_hash
        shutil.rmtree(folder)
        assert await catalogue.find(FLAW) is None
        assert catalogue.known(FLAW) is None

    asyncio.run(scenario())


class Says:
    """A rung that decides when it is told to, and counts how often it was asked."""

    def __init__(self, decision: Decision | None = None, stamp: str = "says-1") -> None:
        self.decision = decision
        self.stamp = stamp
        self.cases: list[Case] = []

    async def __call__(self, case: Case) -> Decision | None:
        self.cases.append(case)
        return self.decision


def test_rungs_are_asked_in_order_until_one_decides() -> None:
    """Before the model and the wargame.

    One that hands on changes nothing, and its stamp is part of the key.
    """
    silent = Says()
    decision = Decision(Outcome.INVALID, Source.MODEL, 1.0, evidence="because")
    sure = Says(decision)

    async def scenario() -> None:
        async with validating(ALWAYS, rungs=(silent, sure)) as validator:
            validated = await validator.decide(submission(right()))
            assert (validated.decision.evidence, validated.decision.prediction) == ("because", None)
            assert (await validator.decide(submission(right()))).cached
            assert (len(silent.cases), len(sure.cases)) == (1, 1)
            sure.stamp, sure.decision = "says-2", None
            again = await validator.decide(submission(right()))
            assert (again.cached, again.decision.source) == (False, Source.MODEL)
            assert "accepted" in again.decision.evidence

    asyncio.run(scenario())


def test_what_another_model_decided_meanwhile_is_not_kept_under_the_old_key() -> None:
    async def scenario() -> None:
        async with validating(ALWAYS) as validator:

            class Replacing:
                stamp = "replacing"

                async def __call__(self, _: Case) -> None:
                    validator.model.served = ServedModel(predictor(), Policy(reject=1.0))

            validator._rungs = (Replacing(), validator.model)
            validated = await validator.decide(submission(right()))
            assert validated.decision.outcome is Outcome.INVALID
            assert len(validator._cache) == 1, "the pattern alone"

    asyncio.run(scenario())


def break_sandbox(monkeypatch: pytest.MonkeyPatch, broken: Callable[[str], bool]) -> None:
    """Have the sandbox fail on every patch of which that holds; the release itself is the empty patch."""
    phases = Match.phases

    def fail(match: Match, text: str) -> Any:
        if broken(text):
            yield Phase(PhaseName.BASELINE if not text else PhaseName.POV, Reason.SANDBOX_FAILED, 0.0)
            return None
        return (yield from phases(match, text))

    def judge(match: Match, text: str) -> Verdict:
        if "raise" in text:
            raise RecursionError("a nest of brackets")
        return Verdict(tuple(fail(match, text)), 0.0, "namespaces") if broken(text) else judged(match, text)

    judged = Match.judge
    monkeypatch.setattr(Match, "phases", fail)
    monkeypatch.setattr(Match, "judge", judge)


async def until(condition: Callable[[], bool]) -> None:
    """Let the loop run until that holds, for half a minute at the most."""
    async with asyncio.timeout(30.0):
        while not condition():  # noqa: ASYNC110 - what it waits for tells nobody
            await asyncio.sleep(0.001)


def hostile(number: int, words: str = "closed") -> str:
    return idle().replace("closed", f"hostile {words} {number}")


@pytest.mark.parametrize("words", ["breaks the sandbox", "raise"])
def test_patches_that_break_the_sandbox_or_the_referee_take_it_from_nobody_else(
    monkeypatch: pytest.MonkeyPatch, words: str
) -> None:
    """As long as the release itself can be run there.

    No exception, no open breaker, and the next patch is judged.
    """
    break_sandbox(monkeypatch, lambda text: "hostile" in text)

    async def scenario() -> None:
        async with validating() as validator:
            for number in range(7):
                validated = await validator.decide(submission(hostile(number, words)))
                assert (validated.decision.outcome, validated.decision.source) == (None, Source.FALLBACK)
                alone = await validator.validate(submission(hostile(number, words)))
                assert alone.decision.outcome is Outcome.INCONCLUSIVE
            assert validator._sandbox.state is State.CLOSED
            assert (await validator.decide(submission(right()))).decision.outcome is Outcome.VALID

    asyncio.run(scenario())


def test_a_sandbox_that_cannot_run_the_release_opens_its_breaker(monkeypatch: pytest.MonkeyPatch) -> None:
    break_sandbox(monkeypatch, lambda _: True)

    async def scenario() -> None:
        async with validating() as validator:
            for number in range(5):
                await validator.decide(submission(hostile(number)))
            assert validator._sandbox.state is State.OPEN
            validated = await validator.decide(submission(right()))
            assert (validated.decision.outcome, validated.decision.degraded) == (None, ("sandbox",))

    asyncio.run(scenario())


def test_a_baseline_that_raises_leaves_no_sandbox_open(monkeypatch: pytest.MonkeyPatch) -> None:
    failed = Phase(PhaseName.POV, Reason.SANDBOX_FAILED, 0.0)

    def fail(*_: object) -> Any:
        raise OSError("no space left")

    monkeypatch.setattr(Match, "phases", fail)
    monkeypatch.setattr(Match, "judge", lambda *_: Verdict((failed,), 0.0, "namespaces"))

    async def scenario() -> None:
        catalogue = Catalogue(VULNERABILITIES, Cache())
        pattern = await catalogue.find(FLAW)
        assert pattern is not None
        async with Referees(catalogue, Path("unused")) as referees:
            with referees.attended(b"key"), pytest.raises(OSError, match="no space left"):
                await referees.judge(pattern, hostile(0), key=b"key")
            assert referees.stats.open == 0

    asyncio.run(scenario())


def test_a_patch_that_does_not_apply_is_told_so_and_nothing_was_missing() -> None:
    """The wargame said it, so the answer is the wargame's, and is remembered."""

    async def scenario() -> None:
        async with validating() as validator:
            for cached in (False, True):
                validated = await validator.decide(submission(foreign()))
                assert (validated.decision.source, validated.decision.reason) == (
                    Source.WARGAME,
                    Reason.DOES_NOT_APPLY,
                )
                assert (validated.decision.advisory, validated.decision.degraded) == (False, ())
                assert validated.cached is cached

    asyncio.run(scenario())


def test_a_patch_has_a_budget_for_its_runs_together() -> None:
    """One that sleeps in every run has no seconds left for the next."""
    options = '     options = ["-u", "-r"]'
    slow = right().replace(options, f"+    import time\n+    time.sleep(0.7)\n{options}", 1)
    slow = slow.replace("@@ -40,12 +40,12 @@", "@@ -40,12 +40,14 @@")

    async def scenario() -> None:
        async with validating(seconds=1.0) as validator:
            validated = await validator.decide(submission(slow))
            assert validated.decision.reason is Reason.TIMEOUT

    asyncio.run(scenario())


def test_a_wargame_that_everybody_left_gives_its_place_back() -> None:
    """One that another caller still waits for keeps it."""

    async def scenario() -> None:
        async with validating(concurrency=1, line=8) as validator:
            line = validator._referees._line
            await line.enter(b"the only seat", "somebody", 1.0)
            texts = [hostile(number) for number in range(3)]
            tasks = [asyncio.create_task(validator.decide(submission(text))) for text in texts]
            await until(lambda: line.waiting == 3)
            callers = sum(line._callers.values())
            shared = asyncio.create_task(validator.decide(submission(texts[2])))
            await until(lambda: sum(line._callers.values()) > callers)
            for task in tasks:
                task.cancel()
            await asyncio.wait(tasks)
            assert line.waiting == 1
            line.leave("somebody")
            assert (await shared).decision.source is Source.WARGAME
            assert validator._referees.stats.done == 1

    asyncio.run(scenario())


def test_a_wargame_that_runs_is_not_lost_when_its_caller_leaves() -> None:
    async def scenario() -> None:
        async with validating(concurrency=1, line=4) as validator:
            task = asyncio.create_task(validator.decide(submission(hostile(0))))
            await until(lambda: validator._referees.stats.running == 1)
            task.cancel()
            await asyncio.wait([task])
            assert (await validator.decide(submission(hostile(0)))).decision.source is Source.WARGAME
            assert validator._referees.stats.done == 1

    asyncio.run(scenario())
