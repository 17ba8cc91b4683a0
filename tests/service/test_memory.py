"""The memory as a rung of a running service: it refuses by the verdicts known, and says whose."""

from __future__ import annotations

import shutil
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pytest

from crisol.diff import parse
from crisol.evidence.memory import COLUMNS, Judged
from crisol.evidence.second_stage import SecondStage, train
from crisol.evidence.similarity import sketch
from crisol.model.policy import Policy
from crisol.service.embedded import serve
from crisol.validation.memory_rung import Memories
from support.http import decide
from support.served import FLAW, model_folder, wrong

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from crisol.config import Settings
    from crisol.service.embedded import Server

EVERYTHING = Policy(reject=0.9999, reason="a test")


def second_stage() -> SecondStage:
    """Return a second stage that was learnt from noise, and refuses whatever it is asked about."""
    rng = np.random.default_rng(0)
    rows, label = rng.random((120, len(COLUMNS))), np.arange(120) % 2
    group = np.array([f"g{number // 6}" for number in range(120)])
    return replace(train(rows, label, group, seed=0), policy=EVERYTHING)


@pytest.fixture
def model(tmp_path: Path) -> Path:
    """Return the folder of a model that has a second stage."""
    folder = shutil.copytree(model_folder(), tmp_path / "model")
    second_stage().save(folder / "memory.json")
    return folder


def again(number: int) -> str:
    """Return the wrong patch with another comment."""
    return wrong().replace("# closed", f"# closed {number}")


@pytest.mark.integration
def test_a_verdict_of_this_installation_refuses_the_next_patch_and_is_its_evidence(
    started: Callable[..., Server], model: Path
) -> None:
    server = started(model=model)
    first, answer = decide(server, wrong()), decide(server, again(1))
    assert first["source"] == "wargame"
    assert (answer["source"], answer["outcome"], answer["degraded"]) == ("memory", "invalid", [])
    assert "1 verdicts known" in answer["evidence"]
    assert f"invalid {first['patch']} (similarity 1.00)" in answer["evidence"]
    # What the memory said is no verdict, so the memory does not grow by it.
    assert "1 verdicts known" in decide(server, again(2))["evidence"]


@pytest.mark.integration
def test_a_service_starts_with_the_verdicts_that_its_store_kept(settings: Settings, model: Path) -> None:
    settings = settings.model_copy(update={"model": model})
    with serve(settings) as first:
        assert decide(first, wrong())["source"] == "wargame"
    with serve(settings) as second:
        answer = decide(second, again(1))
    assert (answer["source"], answer["degraded"]) == ("memory", [])


@pytest.mark.integration
def test_without_a_second_stage_the_memory_hands_on(started: Callable[..., Server]) -> None:
    server = started()
    assert [decide(server, text)["source"] for text in (wrong(), again(1))] == ["wargame", "wargame"]


def test_a_vulnerability_that_changes_forgets_and_the_least_used_goes_first() -> None:
    memories = Memories(most=2)
    patch = parse(wrong())
    judged = Judged(patch.identity, sketch(patch), valid=False, probability=0.5)
    memories.add(FLAW, "old", judged)
    memories.add(FLAW, "old", replace(judged, valid=True))
    memory = memories.get(FLAW, "old")
    assert memory is not None
    assert [known.valid for known in memory.judged] == [False]
    memories.add(FLAW, "new", judged)
    assert memories.get(FLAW, "old") is None
    memories.add("other", "x", judged)
    memories.get(FLAW, "new")
    memories.add("third", "x", judged)
    assert memories.get("other", "x") is None
    assert memories.get(FLAW, "new") is not None


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
