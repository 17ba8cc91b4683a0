"""Facts as a rung: what is certain decides, without a wait for what is not known yet."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

from crisol.errors import SandboxError
from crisol.evidence.aside import Ground, examine
from crisol.evidence.facts import JudgedPrograms
from crisol.evidence.trace import trace
from crisol.records import Outcome, Phase, PhaseName, Reason, Source, Verdict
from crisol.resilience.cache import Cache
from crisol.resilience.clock import FakeClock
from crisol.sandbox.bounded import OutOfBounds
from crisol.validation import fact_rung
from crisol.validation.catalogue import Catalogue
from crisol.validation.fact_rung import FactRung
from crisol.validation.ladder import Case, Submission
from crisol.wargaming.fitting import fitted
from support.flawed import APP, RIGHT, notes, patch

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from crisol.diff import Patch
    from crisol.records import Decision
    from crisol.validation.catalogue import Pattern

pytestmark = pytest.mark.integration
VALID = Verdict((Phase(PhaseName.POV, None, 0.1),), 0.1, "namespaces")


class Rungs:
    """The vulnerability of the notes, its rung, and patches on their way."""

    def __init__(self, root: Path, clock: FakeClock) -> None:
        self.vulnerability = notes(root / "data")
        self.catalogue = Catalogue(root / "data", Cache())
        self.rung = FactRung(self.catalogue, root / "cache", clock=clock)

    def submission(self, changed: Patch) -> Submission:
        tree = self.vulnerability.vulnerable(self.rung._cache)
        fit = fitted(str(changed), tree)
        return Submission(fit.patch, str(fit.patch), "notes-1", files=fit.files)

    async def decide(self, changed: Patch) -> Decision | None:
        return await self.rung(Case(self.submission(changed), await self.pattern()))

    async def learn(self, changed: Patch, verdict: Verdict) -> None:
        await self.rung.learn(self.submission(changed), await self.pattern(), verdict)

    async def pattern(self) -> Pattern:
        pattern = await self.catalogue.find("notes-1")
        assert pattern is not None
        return pattern

    async def followed(self) -> None:
        """Wait until what is traced in the background is."""
        await asyncio.gather(*self.rung._tracing.values())


def run(tmp_path: Path, scenario: Callable[[Rungs, FakeClock], Any]) -> None:
    clock = FakeClock()
    rungs = Rungs(tmp_path, clock)

    async def whole() -> None:
        await scenario(rungs, clock)
        await rungs.rung.close()

    asyncio.run(whole())


def test_the_first_patch_waits_for_no_trace_and_the_next_is_settled(tmp_path: Path) -> None:
    """The evidence names the functions on the way of the PoV, or the program that is repeated."""

    async def scenario(rungs: Rungs, _clock: FakeClock) -> None:
        aside = patch("    os.remove", "    check(name)\n    os.remove")
        assert await rungs.decide(aside) is None
        await rungs.followed()
        untouched = await rungs.decide(aside)
        assert untouched is not None
        assert (untouched.source, untouched.outcome, untouched.confidence) == (
            Source.UNTOUCHED,
            Outcome.INVALID,
            1.0,
        )
        assert untouched.reason is Reason.EXPLOIT_SURVIVES
        assert "pov/1.py executes nothing that the patch changes" in untouched.evidence
        assert "app.py:read" in untouched.evidence
        idle = await rungs.decide(patch("    with open", "    # sure\n    with open"))
        assert idle is not None
        assert (idle.source, idle.outcome) == (Source.EQUIVALENT, Outcome.INVALID)

    run(tmp_path, scenario)


def test_a_program_that_was_wargamed_has_its_verdict_and_names_the_patch(tmp_path: Path) -> None:
    async def scenario(rungs: Rungs, _clock: FakeClock) -> None:
        first, again = patch("    with open", RIGHT), patch("    with open", f"    # sure\n{RIGHT}")
        await rungs.decide(first)
        await rungs.followed()
        assert await rungs.decide(again) is None
        await rungs.learn(first, VALID)
        decision = await rungs.decide(again)
        assert decision is not None
        assert (decision.source, decision.outcome) == (Source.EQUIVALENT, Outcome.VALID)
        assert rungs.submission(first).patch.identity in decision.evidence
        other = patch("    with open", RIGHT.replace("!=", "=="))
        assert await rungs.decide(other) is None
        assert rungs.rung.program(rungs.submission(other), await rungs.pattern())

    run(tmp_path, scenario)


def test_a_vulnerability_that_changes_forgets_its_programs(tmp_path: Path) -> None:
    async def scenario(rungs: Rungs, _clock: FakeClock) -> None:
        fix = patch("    with open", RIGHT)
        await rungs.decide(fix)
        await rungs.followed()
        await rungs.learn(fix, VALID)
        assert await rungs.decide(fix) is not None
        (rungs.vulnerability.folder / "checks" / "1.py").write_text("import app\n")
        await rungs.decide(fix)
        await rungs.followed()
        assert await rungs.decide(fix) is None

    run(tmp_path, scenario)


def test_a_trace_that_the_sandbox_failed_is_tried_again_after_a_minute(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Until then equal programs are recognised all the same."""
    tries = []

    def failing_once(*arguments: Any) -> Any:
        tries.append(arguments)
        if len(tries) == 1:
            raise SandboxError("no room")
        return trace(*arguments)

    monkeypatch.setattr(fact_rung, "trace", failing_once)

    async def scenario(rungs: Rungs, clock: FakeClock) -> None:
        aside = patch("    os.remove", "    check(name)\n    os.remove")
        idle = patch("    with open", "    # sure\n    with open")
        for _ in range(3):
            assert await rungs.decide(aside) is None
            await rungs.followed()
        assert await rungs.decide(idle) is not None
        assert len(tries) == 1
        clock.advance(61.0)
        await rungs.decide(idle)
        await rungs.followed()
        assert len(tries) == 2
        other = patch("    os.remove", "    check(root)\n    os.remove")
        assert await rungs.decide(other) is not None

    run(tmp_path, scenario)


def test_a_patch_that_was_examined_without_a_trace_is_decided_by_it_later(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its program is known all the time."""

    def failing(*_: Any) -> Any:
        raise SandboxError("no room")

    async def scenario(rungs: Rungs, clock: FakeClock) -> None:
        aside = patch("    os.remove", "    check(name)\n    os.remove")
        with monkeypatch.context() as patched:
            patched.setattr(fact_rung, "trace", failing)
            await rungs.decide(aside)
            await rungs.followed()
        assert await rungs.decide(aside) is None
        program = rungs.rung.program(rungs.submission(aside), await rungs.pattern())
        assert program
        clock.advance(61.0)
        assert await rungs.decide(aside) is None
        assert rungs.rung.program(rungs.submission(aside), await rungs.pattern()) == program
        await rungs.followed()
        decision = await rungs.decide(aside)
        assert decision is not None
        assert decision.source is Source.UNTOUCHED

    run(tmp_path, scenario)


def test_files_larger_than_an_honest_patch_makes_go_their_way(tmp_path: Path) -> None:
    async def scenario(rungs: Rungs, _clock: FakeClock) -> None:
        await rungs.decide(patch("    with open", RIGHT))
        await rungs.followed()
        assert await rungs.decide(patch("    with open", "    # sure\n" * 40_000 + "    with open")) is None

    run(tmp_path, scenario)


def test_a_text_that_no_parser_survives_costs_a_worker_and_no_host(tmp_path: Path) -> None:
    """Deeper than any honest source, it is its text: another program, on the way."""
    (tmp_path / "app.py").write_text(APP)
    ground = Ground(str(tmp_path))
    try:
        examined = examine(ground, {"app.py": f"x = {'-' * 200_000}1\n"})
    except OutOfBounds:
        pass
    else:
        assert examined.fact is None
    assert examine(ground, {"app.py": APP + "# sure\n"}).fact is not None
    assert examine(ground, {"app.py": None, "odd\udc80.py": "a = '\udc80'\n"}).fact is None


def test_verdicts_that_contradict_each_other_and_timeouts_settle_nothing() -> None:
    programs = JudgedPrograms(most=2)
    programs.add("a", "first", Outcome.VALID, None)
    programs.add("b", "slow", Outcome.INVALID, Reason.TIMEOUT)
    assert programs.fact("a") is not None
    assert programs.fact("b") is None
    programs.add("a", "second", Outcome.INVALID, Reason.EXPLOIT_SURVIVES)
    assert programs.fact("a") is None
    programs.add("a", "third", Outcome.VALID, None)
    assert programs.fact("a") is None
    for name in ("b", "c"):
        programs.add(name, name, Outcome.VALID, None)
    assert programs.fact("a") is None
    assert programs.fact("c") is not None
