"""Facts and memory as rungs of a running service.

They decide by what is known, and say whose verdict it was.
"""

from __future__ import annotations

import asyncio
import itertools
import shutil
import time
from dataclasses import replace
from typing import TYPE_CHECKING, Any, cast

import pytest

from crisol.diff import parse
from crisol.errors import ModelError
from crisol.evidence.memory import Judged
from crisol.evidence.second_stage import SecondStage
from crisol.evidence.similarity import sketch
from crisol.model.policy import Policy
from crisol.resilience.cache import Cache
from crisol.resilience.clock import FakeClock
from crisol.resilience.guard import CircuitBreaker
from crisol.service.embedded import serve
from crisol.validation.catalogue import Catalogue
from crisol.validation.ladder import Case, Submission
from crisol.validation.memory_rung import MemoryRung
from crisol.validation.model_rung import ModelRung, ServedModel
from support.http import ask, decide
from support.served import FLAW, VULNERABILITIES, idle, model_folder, predictor, right, wrong
from support.stages import EVERYTHING, second_stage

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from crisol.config import Settings
    from crisol.diff import Patch
    from crisol.model.predictor import Predictor
    from crisol.records import Prediction
    from crisol.service.embedded import Server

SORTED = """@@ -40,4 +40,4 @@
 def sorted_lines(names, reverse=False):
     \"\"\"Return the distinct lines of the files in byte order.\"\"\"
     options = ["-u", "-r"] if reverse else ["-u"]
-    return tuple(run(["sort", *options, *names]).splitlines())
+    return tuple(run(["sort", *options, "--", *names]).splitlines())
"""


@pytest.fixture
def model(tmp_path: Path) -> Path:
    """Return the folder of a model that has a second stage."""
    folder = shutil.copytree(model_folder(), tmp_path / "model")
    second_stage().save(folder / "memory.json")
    return folder


@pytest.mark.integration
def test_a_verdict_of_this_installation_refuses_the_next_patch_and_is_its_evidence(
    started: Callable[..., Server], model: Path
) -> None:
    server = started(model=model)
    first, answer = decide(server, wrong()), decide(server, wrong(1))
    assert first["source"] == "wargame"
    assert (answer["source"], answer["outcome"], answer["degraded"]) == ("memory", "invalid", [])
    assert "2 verdicts known" in answer["evidence"], "the known fix and the first one"
    assert f"invalid {first['patch']} (similarity 0." in answer["evidence"]
    # What the memory said is no verdict, so the memory does not grow by it.
    assert "2 verdicts known" in decide(server, wrong(2))["evidence"]


@pytest.mark.integration
def test_a_service_starts_with_the_verdicts_that_its_store_kept(settings: Settings, model: Path) -> None:
    settings = settings.model_copy(update={"model": model})
    with serve(settings) as first:
        assert decide(first, wrong())["source"] == "wargame"
    with serve(settings) as second:
        answer = decide(second, wrong(1))
    assert (answer["source"], answer["degraded"]) == ("memory", [])


@pytest.mark.integration
def test_without_a_second_stage_the_memory_hands_on(started: Callable[..., Server]) -> None:
    server = started()
    assert [decide(server, text)["source"] for text in (wrong(), wrong(1))] == ["wargame", "wargame"]


def test_the_known_fix_is_the_first_verdict_and_no_patch_waits_for_it(tmp_path: Path) -> None:
    """The first patch goes on without it, the next one finds it."""

    async def scenario() -> None:
        catalogue = Catalogue(VULNERABILITIES, Cache())
        served = ServedModel(predictor(), Policy(), second_stage())
        rung = MemoryRung(ModelRung(served, CircuitBreaker("model")), catalogue, tmp_path)
        pattern = await catalogue.find(FLAW)
        assert pattern is not None
        rung.filled = True
        case = Case(Submission(parse(wrong()), wrong(), FLAW), pattern)
        assert await rung(case) is None
        for _ in range(600):
            if (memory := rung.memories.get(FLAW, pattern.content_hash)) is not None:
                break
            await asyncio.sleep(0.1)
        assert memory is not None
        assert [(judged.identity, judged.valid) for judged in memory.judged] == [
            (parse(right()).identity, True)
        ]
        decision = await rung(case)
        assert decision is not None
        assert f"1 verdicts known; nearest valid {parse(right()).identity}" in decision.evidence
        await rung.close()

    asyncio.run(scenario())


class FailingOnce:
    """A predictor whose first prediction fails."""

    def __init__(self, works: Predictor) -> None:
        self.works, self.serving, self.calls = works, works.serving, 0

    def predict(self, patch: Patch, cwe: str) -> Prediction:
        self.calls += 1
        if self.calls == 1:
            raise ModelError("not yet")
        return self.works.predict(patch, cwe)


def test_a_known_fix_that_could_not_be_read_is_read_after_a_minute(tmp_path: Path) -> None:
    async def scenario() -> None:
        catalogue, clock, fails = Catalogue(VULNERABILITIES, Cache()), FakeClock(), FailingOnce(predictor())
        served = ServedModel(cast("Predictor", fails), Policy(), second_stage())
        rung = MemoryRung(ModelRung(served, CircuitBreaker("model")), catalogue, tmp_path, clock=clock)
        pattern = await catalogue.find(FLAW)
        assert pattern is not None
        rung.filled = True
        case = Case(Submission(parse(wrong()), wrong(), FLAW), pattern)
        for seconds, calls, known in ((0.0, 1, False), (59.0, 1, False), (2.0, 2, True)):
            clock.advance(seconds)
            assert await rung(case) is None
            await asyncio.gather(*rung.reading)
            assert fails.calls == calls
            assert (rung.memories.get(FLAW, pattern.content_hash) is not None) is known

    asyncio.run(scenario())


@pytest.mark.parametrize("lacks", ["folder", "model"])
def test_a_known_fix_is_read_again_where_something_was_missing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, lacks: str
) -> None:
    """A folder may be missing for a moment, and so may the model."""

    async def scenario() -> None:
        catalogue, clock = Catalogue(VULNERABILITIES, Cache()), FakeClock()
        model = ModelRung(ServedModel(predictor(), Policy(), second_stage()), CircuitBreaker("model"))
        rung = MemoryRung(model, catalogue, tmp_path, clock=clock)
        pattern = await catalogue.find(FLAW)
        assert pattern is not None
        case = Case(Submission(parse(wrong()), wrong(), FLAW), pattern)
        with monkeypatch.context() as patched:
            if lacks == "folder":
                patched.setattr(catalogue, "open", lambda _: None)
            else:
                patched.setattr(model, "served", ServedModel(None, Policy(), second_stage()))
            await rung(case)
            await asyncio.gather(*rung.reading)
        for seconds, known in ((59.0, False), (2.0, True)):
            clock.advance(seconds)
            await rung(case)
            await asyncio.gather(*rung.reading)
            assert (rung.memories.get(FLAW, pattern.content_hash) is not None) is known

    asyncio.run(scenario())


def test_a_further_verdict_on_the_same_patch_is_ignored(tmp_path: Path) -> None:
    served = ServedModel(None, Policy())
    rung = MemoryRung(
        ModelRung(served, CircuitBreaker("model")), Catalogue(VULNERABILITIES, Cache()), tmp_path
    )
    patch = parse(wrong())
    first = Judged(patch.identity, sketch(patch), valid=False, probability=0.5)
    rung.add((FLAW, "hash"), first)
    rung.add((FLAW, "hash"), replace(first, valid=True))
    memory = rung.memories.get(FLAW, "hash")
    assert memory is not None
    assert [judged.valid for judged in memory.judged] == [False]


@pytest.mark.parametrize("bad", [1.5, "0.5", True])
def test_a_second_stage_with_a_threshold_that_is_no_probability_is_refused(
    tmp_path: Path, bad: object
) -> None:
    import json  # noqa: PLC0415 - for this test alone

    from crisol.errors import ModelError  # noqa: PLC0415 - as above

    path = tmp_path / "memory.json"
    second_stage().save(path)
    assert SecondStage.load(path).policy == EVERYTHING
    path.write_text(json.dumps(json.loads(path.read_text()) | {"accept": bad}))
    with pytest.raises(ModelError, match="threshold"):
        SecondStage.load(path)


def settled(server: Server, texts: Iterator[str]) -> dict[str, Any]:
    """Ask about one patch after the other until a fact settles one.

    The exploits are traced in the background.
    """
    for text in itertools.islice(texts, 40):
        answer = decide(server, text)
        if answer["source"] in {"equivalent", "untouched"}:
            return answer
        time.sleep(0.2)
    raise AssertionError("no patch was settled")


def commented(text: str) -> Iterator[str]:
    """Give the same program again and again, each time with another comment."""
    header, _, _ = wrong().partition("+CLOSED")
    first = header.splitlines()[-1]
    for number in itertools.count():
        start = f"@@ -1 +1,2 @@\n{first}\n+# {number}\n"
        yield text.replace("@@", f"{start}@@", 1).replace("@@ -40,12 +40,12", "@@ -40,12 +41,12")


@pytest.mark.integration
def test_facts_answer_and_name_their_rung_and_evidence(started: Callable[..., Server]) -> None:
    """A comment makes no other program, and what one PoV does not execute does not close it."""
    server = started(ab_test_rate=1.0)
    same = settled(server, (idle().replace("closed", f"closed {number}") for number in itertools.count()))
    assert (same["source"], same["outcome"], same["reason"]) == ("equivalent", "invalid", "exploit_survives")
    half = right().partition("@@ -40,12")[0] + SORTED
    aside = settled(server, (half.replace('"--"', f'"--{"-" * n}"') for n in range(40)))
    assert (aside["source"], aside["outcome"]) == ("untouched", "invalid")
    assert "on its way: reports.py:" in aside["evidence"]
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        _, groups, _ = ask(server, "GET", "/wargaming/ab-testing/results?time_range=all&by=rung")
        rungs = {name: report["confusion"] for name, report in groups["groups"].items()}
        if rungs.keys() >= {"equivalent", "untouched"}:
            break
        time.sleep(0.2)
        ask(server, "POST", "/wargaming/cache/invalidate", {"tag": "trials"})
    assert rungs["equivalent"]["tn"] >= 1, rungs
    assert {cell: n for name in ("equivalent", "untouched") for cell, n in rungs[name].items()}["fp"] == 0


@pytest.mark.integration
def test_a_program_that_was_judged_before_the_restart_is_known(settings: Settings) -> None:
    with serve(settings) as first:
        settled(first, commented(right()))
    with serve(settings) as second:
        answer = settled(second, itertools.islice(commented(right()), 40, None))
    assert (answer["source"], answer["outcome"]) == ("equivalent", "valid")
