"""Generated inputs tell a narrow fix and a changed behaviour, and leave right patches alone."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from crisol import diff
from crisol.records import Outcome, Reason, Strength
from crisol.sandbox import Ending, Role, Script, choose
from crisol.wargaming.inputs import changes, literals, touches, unsteady, vocabulary
from crisol.wargaming.referee import Match, open_match
from crisol.wargaming.reference import Yardstick, measure
from crisol.wargaming.variations import Behaviour, behaviours, variations
from crisol.wargaming.vulnerability import load

APP = (
    'def link(address):\n    return "<a href=" + address + ">"\n\n\n'
    "def label(text):\n    return text.title()\n"
)
REFERENCE = APP.replace(
    '    return "<a',
    '    if address.strip().lower().startswith("javascript:"):\n        return ""\n    return "<a',
)
POV = """import sys, app
try:
    shown = "javascript:" in app.link("javascript:steal()").lower()
except ValueError:
    shown = False
sys.exit(0 if shown else 1)
"""
CHECK = (
    'import app\nassert app.link("https://a.example/b") == "<a href=https://a.example/b>"\n'
    'assert app.label("one word") == "One Word"\n'
)


def patch(after: str) -> str:
    return diff.between({"app.py": APP}, {"app.py": after})


@pytest.fixture(scope="module")
def match(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Match]:
    folder = tmp_path_factory.mktemp("own") / "links"
    for name, text in {
        "vulnerability.toml": 'id = "links"\ntitle = "t"\ncwe = "CWE-79"\n[source]\npath = "target"\n',
        "pov/1_script.py": POV,
        "checks/1_links.py": CHECK,
        "target/app.py": APP,
        "patches/reference.diff": patch(REFERENCE),
    }.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    with open_match(load(folder), choose(), tmp_path_factory.mktemp("cache")) as opened:
        yield opened


@pytest.mark.parametrize(
    "after",
    [
        REFERENCE,
        APP.replace(
            '    return "<a',
            '    if "script:" in address.casefold():\n        raise ValueError(address)\n    return "<a',
        ),
        APP.replace(
            '    return "<a',
            '    if not address.startswith("https://"):\n        address = "#"\n    return "<a',
        ),
    ],
)  # fmt: skip
def test_right_patches_may_answer_the_attack_differently(match: Match, after: str) -> None:
    """Another answer, an exception, or an allowlist where the reference has a blocklist: all are valid."""
    verdict = match.judge(patch(after))
    assert verdict.outcome is Outcome.VALID, verdict


def test_a_fix_of_one_notation_is_partial(match: Match) -> None:
    """The PoV fails, and its generated variant in capitals does not: basic valid, strict invalid."""
    narrow = APP.replace(
        '    return "<a', '    if address.startswith("javascript:"):\n        return ""\n    return "<a'
    )
    verdict = match.judge(patch(narrow))
    assert verdict.outcome_at(Strength.BASIC) is Outcome.VALID
    assert verdict.reason is Reason.PARTIAL_FIX


def test_a_changed_answer_to_benign_input_diverges(match: Match) -> None:
    """What the check asks still comes out right; a longer text does not."""
    special = REFERENCE.replace("text.title()", "text.title() if len(text) < 9 else text")
    verdict = match.judge(patch(special))
    assert verdict.outcome_at(Strength.BASIC) is Outcome.VALID
    assert verdict.reason is Reason.DIVERGES_FROM_REFERENCE
    assert "checks/1_links.py" in next(phase.detail for phase in verdict.phases if phase.reason)


def test_chance_is_no_difference(match: Match) -> None:
    """Where the reference does not repeat its own answer, a patch that answers otherwise is not to blame."""
    files: dict[str, bytes | None] = {"app.py": REFERENCE.encode()}
    steady = "import app\nassert app.label('one') == 'One'\n"
    chance = "import os\nassert os.urandom(9) == b'' or True\n"
    made = variations([Script("c.py", text, Role.CHECK) for text in (steady, chance)], 0)
    expected = (Behaviour("done", ("'Two'",)), Behaviour("done", ("b'was drawn before'",)))
    assert Yardstick((), tuple(made), expected, files).divergence(match.target, files) == ""
    changed: dict[str, bytes | None] = {"app.py": REFERENCE.replace("title()", "lower()").encode()}
    told = behaviours(match.target, made, files)
    assert not isinstance(told, Ending)
    measured = Yardstick((), tuple(made), tuple(told[each.number] for each in made), files)
    assert "'one' where the reference gives 'One'" in measured.divergence(match.target, changed)


def test_a_flaw_that_shows_by_chance_is_not_partial(match: Match) -> None:
    """The program lets through one of 256 tokens, drawn at each start: no generated PoV shows that twice."""
    script = "import sys, app\nsys.exit(0 if app.token() == {} else 1)\n"
    made = variations([Script("p.py", script.format(at), Role.POV) for at in range(256)], 0)
    fixed, drawn, fixed_open = (
        {"app.py": f"import secrets\nDRAWN = {value}\n\n\ndef token():\n    return DRAWN\n".encode()}
        for value in ("-1", "secrets.randbelow(256)", "7")
    )
    yardstick = Yardstick(tuple(made), (), (), fixed)
    assert yardstick.partial(match.target, drawn) == ""
    assert yardstick.partial(match.target, fixed_open) == "p.py"
    assert Yardstick(tuple(made), (), (), fixed_open).partial(match.target, fixed_open) == ""


def test_the_yardstick_is_the_same_every_time(match: Match, tmp_path: Path) -> None:
    """Whoever measures again gets the same inputs and the same expected answers."""
    first, second = (measure(match.vulnerability, match.tree, tmp_path, match.target) for _ in range(2))
    assert first == second
    assert first.hostile
    assert first.benign


def test_without_a_reference_nothing_is_compared(match: Match, tmp_path: Path) -> None:
    """A folder of one's own needs no reference; its strict label then asks for less."""
    folder = tmp_path / "links"
    for part in ("pov", "checks", "target"):
        (folder / part).mkdir(parents=True)
        for path in (match.vulnerability.folder / part).iterdir():
            if path.is_file():
                (folder / part / path.name).write_text(path.read_text())
    (folder / "vulnerability.toml").write_text(
        (match.vulnerability.folder / "vulnerability.toml").read_text()
    )
    assert not measure(load(folder), match.tree, tmp_path, match.target).benign


def test_only_what_reaches_the_target_is_varied() -> None:
    """Expected values, file modes of results, exits and docstrings stay as the author wrote them."""
    source = (
        '"""Doc."""\nimport sys, app\nfrom urllib.parse import urljoin\nanswer = app.go("/input")\n'
        'assert urljoin("https://base/", answer) == "expected", "message"\n'
        'if answer.startswith("prefix"):\n    sys.exit(7)\n'
    )
    assert [node.value for node in literals(ast.parse(source))] == ["/input"]


def test_the_size_of_a_draw_is_no_input() -> None:
    """A planted name without letters is another script, perhaps with another flaw; spellings are inputs."""
    source = (
        "import app, random\nrng = random.Random(7)\n"
        'name = "".join(rng.choices("abc", k=rng.randint(4, 9))) + rng.choice(("/up", "../up"))\n'
        "app.go(name, 12)\n"
    )
    assert [node.value for node in literals(ast.parse(source))] == [12, "/up", "../up"]


def test_a_set_of_letters_is_no_input() -> None:
    """With a set of text a script looks into what it got: a change of it asks the target nothing."""
    source = (
        'import app\nplain = set("abc") | frozenset(b"xyz")\n'
        'answer = app.go("/input")\nassert plain - set(answer)\n'
    )
    assert [node.value for node in literals(ast.parse(source))] == ["/input"]


@pytest.mark.parametrize("role", [Role.POV, Role.CHECK])
def test_changes_are_new_values_of_the_same_type(role: Role) -> None:
    """Chosen by the seed; text stays text, bytes stay bytes, integers stay integers."""
    tree = ast.parse('import app\napp.f("../name", b"raw bytes", 12)\n')
    made = [(node.value, value) for node, value in changes(tree, role, 60, "seed")]
    assert made == [(node.value, value) for node, value in changes(tree, role, 60, "seed")]
    assert len(made) > 10
    assert all(type(old) is type(new) and old != new for old, new in made)


def test_words_of_the_program_are_no_data() -> None:
    """A change that breaks a keyword or a magic number asks another question than the check did."""
    words = vocabulary('METHOD = "GET"\nMAGIC = b"GIF89a"\n')
    assert touches(words, "GET", "GAT")
    assert touches(words, b"GIF89a\x01", b"GGIF89a\x01")
    assert not touches(words, "/basket", "/baskat")
    assert vocabulary("def (") == frozenset()


def test_scripts_that_hang_on_the_load_are_not_varied() -> None:
    """Clocks and threads would make a label depend on the machine."""
    assert unsteady("signal.setitimer(signal.ITIMER_VIRTUAL, 0.3)")
    assert unsteady("import threading")
    assert not unsteady("import app")
