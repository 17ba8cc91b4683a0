"""A learnt order of scripts finds the failure sooner and never changes the outcome."""

from __future__ import annotations

from pathlib import Path

import pytest

from crisol.records import PhaseName, Reason
from crisol.sandbox import choose
from crisol.wargaming.order import Experience, ScriptRun, plan
from crisol.wargaming.referee import open_match
from crisol.wargaming.vulnerability import Vulnerability, load
from support.notes import APP, RIGHT, make, patch

CHECK = "checks/1_dots.py"
PUBLIC, VARIANT = "pov/1_parent.py", "pov/2_absolute.py"


@pytest.fixture
def vulnerability(tmp_path: Path) -> Vulnerability:
    return load(make(tmp_path / "notes-traversal"))


def ran(script: str, kind: PhaseName, *, failed: bool, seconds: float = 0.05, of: str = "") -> ScriptRun:
    return ScriptRun(of or "notes-traversal", script, kind, failed, seconds)


def names(vulnerability: Vulnerability, experience: Experience, costs: dict[str, float]) -> list[str]:
    ordered = experience.ordered(vulnerability.id, plan(vulnerability.povs, vulnerability.checks), costs)
    return [step.scripts[0].name for step in ordered]


def test_the_order_stays_while_nothing_is_known(vulnerability: Vulnerability) -> None:
    """The first wargame of an installation names the same failure as the corpus; then seconds count."""
    costs = {PUBLIC: 0.2, VARIANT: 0.1, CHECK: 0.05}
    experience = Experience()
    assert names(vulnerability, experience, costs) == [PUBLIC, VARIANT, CHECK]
    experience.learn(ran("checks/x.py", PhaseName.CHECKS, failed=False, of="other"))
    assert names(vulnerability, experience, costs)[-1] == PUBLIC


def test_a_script_that_fails_often_comes_before_a_cheaper_one(vulnerability: Vulnerability) -> None:
    """Failures count by the second that they cost."""
    experience = Experience()
    for _ in range(20):
        experience.learn(ran(VARIANT, PhaseName.VARIANTS, failed=True, seconds=0.2))
        experience.learn(ran(CHECK, PhaseName.CHECKS, failed=False, seconds=0.1))
    assert names(vulnerability, experience, {})[0] != CHECK
    assert names(vulnerability, experience, {})[-1] == CHECK


def test_a_new_vulnerability_has_the_order_of_its_kinds(vulnerability: Vulnerability) -> None:
    """What the checks of others caught speaks for those of a vulnerability that was never seen."""
    experience = Experience()
    for _ in range(20):
        experience.learn(ran("checks/x.py", PhaseName.CHECKS, failed=True, of="other"))
        experience.learn(ran("pov/x.py", PhaseName.POV, failed=False, of="other"))
        experience.learn(ran("pov/y.py", PhaseName.VARIANTS, failed=False, of="other"))
    assert names(vulnerability, experience, {}) == [CHECK, PUBLIC, VARIANT]


PATCHES = (
    RIGHT,
    APP.replace('"""Serve', '"""Safely serve'),
    APP.replace("    with", '    if ".." in name:\n        raise ValueError\n    with'),
    RIGHT.replace("basename(name) != name", "basename(name) != name.lower() + name"),
    RIGHT.replace('ValueError("', 'ValueErrro("'),
    RIGHT.replace("    with", "    if name is None:\n        raise Missing\n    with"),
    RIGHT.replace("def read(root", "def read(root,"),
    APP.replace("    with", "    {}['']\n    with"),
)


def test_no_order_changes_an_outcome(vulnerability: Vulnerability, tmp_path: Path) -> None:
    """By the fixed order and by one that has learnt the opposite, the same patches are valid."""
    experience = Experience()
    for _ in range(50):
        experience.learn(ran(CHECK, PhaseName.CHECKS, failed=True))
    with (
        open_match(vulnerability, choose(), tmp_path) as fixed,
        open_match(vulnerability, choose(), tmp_path, experience=experience) as learnt,
    ):
        for after in PATCHES:
            there, here = fixed.judge(patch(after)), learnt.judge(patch(after))
            assert here.outcome is there.outcome, (here, there)


def test_a_verdict_names_what_did_not_run(vulnerability: Vulnerability, tmp_path: Path) -> None:
    """The check that most often fails runs first, alone, and its failure leaves the PoVs out."""
    experience = Experience()
    for _ in range(50):
        experience.learn(ran(CHECK, PhaseName.CHECKS, failed=True))
        experience.learn(ran(PUBLIC, PhaseName.POV, failed=False))
        experience.learn(ran(VARIANT, PhaseName.VARIANTS, failed=False))
    with open_match(vulnerability, choose(), tmp_path, experience=experience) as match:
        broken = match.judge(patch(PATCHES[3]))
        assert broken.reason is Reason.BREAKS_FUNCTION
        assert [phase.name for phase in broken.phases][4:] == ["checks"]
        assert set(broken.left_out) == {PUBLIC, VARIANT}
        undefined = match.judge(patch(PATCHES[5]))
        assert undefined.reason is Reason.UNDEFINED_NAME
        assert set(undefined.left_out) == {CHECK, PUBLIC, VARIANT}
        assert match.judge(patch(RIGHT)).left_out == ()
    assert experience.tally(vulnerability.id, CHECK).runs == 52


def test_a_pov_that_raises_leaves_the_word_to_the_checks(
    vulnerability: Vulnerability, tmp_path: Path
) -> None:
    """In a learnt order, too, ``raises`` means that every check passes."""
    experience = Experience()
    for _ in range(50):
        experience.learn(ran(PUBLIC, PhaseName.POV, failed=True))
        experience.learn(ran(CHECK, PhaseName.CHECKS, failed=False))
    with open_match(vulnerability, choose(), tmp_path, experience=experience) as match:
        verdict = match.judge(patch(APP.replace("    with", "    {}['']\n    with")))
        assert verdict.reason is Reason.BREAKS_FUNCTION
        raising = APP.replace(
            "    with", "    if '..' in name[:2] or name[:1] == '/':\n        {}['']\n    with"
        )
        assert match.judge(patch(raising)).reason is Reason.RAISES


def test_a_check_that_fails_after_a_pov_that_raises_leaves_the_others_out(tmp_path: Path) -> None:
    """The verdict names the checks that did not run, for the first failure decides."""
    folder, second = make(tmp_path / "notes-traversal"), "checks/2_again.py"
    (folder / second).write_text((folder / CHECK).read_text(encoding="utf-8"))
    experience = Experience()
    for _ in range(50):
        experience.learn(ran(PUBLIC, PhaseName.POV, failed=True))
        experience.learn(ran(VARIANT, PhaseName.VARIANTS, failed=False))
        experience.learn(ran(CHECK, PhaseName.CHECKS, failed=False))
    with open_match(load(folder), choose(), tmp_path, experience=experience) as match:
        verdict = match.judge(patch(APP.replace("    with", "    {}['']\n    with")))
    assert verdict.reason is Reason.BREAKS_FUNCTION
    assert [phase.name for phase in verdict.phases][4:] == ["pov", "checks"]
    assert sorted(verdict.left_out) == [CHECK, VARIANT]


def test_a_script_that_did_not_run_is_not_learnt(vulnerability: Vulnerability, tmp_path: Path) -> None:
    """A patch whose time is used up says nothing of the scripts that are left."""
    experience = Experience()
    with open_match(vulnerability, choose(), tmp_path, budget=0.0, experience=experience) as match:
        assert match.judge(patch(RIGHT)).reason is Reason.TIMEOUT
    assert [experience.tally(vulnerability.id, name).runs for name in (PUBLIC, VARIANT, CHECK)] == [0, 0, 0]
