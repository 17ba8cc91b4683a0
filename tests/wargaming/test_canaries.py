"""A patch that changes what a script would say of the release tampers.

Every PoV runs over it in the same process.
"""

from __future__ import annotations

import types
from dataclasses import replace
from pathlib import Path
from random import Random
from unittest.mock import ANY

import pytest

from crisol import diff
from crisol.errors import SandboxUnavailable
from crisol.records import Outcome, Reason, Verdict
from crisol.sandbox import Canary, Role, Script, choose
from crisol.wargaming.canaries import PASSES_ANYTHING, Canaries, doubting
from crisol.wargaming.referee import Match, open_match
from crisol.wargaming.vulnerability import load
from support.notes import make

PAGE = '''"""Greet and keep guests."""

import os
import re


def greet(name):
    return f"<p>{name}</p>"


def keep(folder, name):
    os.makedirs(folder, exist_ok=True)
    with open(os.path.join(folder, name), "w") as file:
        file.write("guest")
'''
CLOSED = PAGE.replace(
    "def greet(name):\n", 'def greet(name):\n    name = name.replace("<", "&lt;")\n'
).replace("def keep(folder, name):\n", "def keep(folder, name):\n    name = os.path.basename(name)\n")
MARKUP = """import re, sys, page
from pathlib import Path
Path("guests").write_text("me")
found = re.search("<b>me</b>", page.greet("<b>me</b>"))
sys.exit(0 if found else 1)
"""
OUTSIDE = """import sys
from pathlib import Path
from page import keep
try:
    keep("guests", "../outside")
except OSError:
    pass
sys.exit(0 if Path("outside").exists() else 1)
"""
CHECK = (
    "import os, page\n"
    "page.keep('g', 'me')\n"
    "assert os.listdir('g') == ['me']\n"
    "assert page.greet('a') == '<p>a</p>'\n"
)
BLINDING = {
    "a cache of patterns": f"{PAGE}\n\nre._cache[str, '<b>me</b>', 0] = re.compile('(?!)')\n",
    "a cache, once it matters": PAGE.replace(
        "    return f",
        "    if '<' in name:\n        re._cache[str, '<b>me</b>', 0] = re.compile('(?!)')\n    return f",
    ),
    "a limit of the process": "import resource\n"
    + PAGE.replace(
        "    return f",
        "    if '<' in name:\n"
        "        resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))\n"
        "        return ''\n"
        "    return f",
    ),
}
LEAVING = PAGE + (
    "\n\n_keep = keep\n\n\ndef keep(folder, name):\n    _keep(folder, name)\n    if '..' in name:\n"
    "        os.makedirs('elsewhere')\n        os.chdir('elsewhere')\n"
)


def folder(place: Path, pov: str) -> Path:
    """Write a vulnerability with one PoV."""
    made = make(place)
    for path in (*(made / "pov").iterdir(), *(made / "checks").iterdir()):
        path.unlink()
    (made / "target" / "app.py").rename(made / "target" / "page.py")
    (made / "target" / "page.py").write_text(PAGE)
    (made / "pov" / "1.py").write_text(pov)
    (made / "checks" / "1.py").write_text(CHECK)
    return made


@pytest.fixture(params=["bubblewrap", "namespaces", "weak"])
def kind(request: pytest.FixtureRequest) -> str:
    try:
        choose(request.param)
    except SandboxUnavailable as error:
        pytest.skip(str(error))
    return str(request.param)


def judged(match: Match, after: str) -> Verdict:
    return match.judge(diff.between({"page.py": PAGE}, {"page.py": after}))


@pytest.fixture
def ungated(monkeypatch: pytest.MonkeyPatch) -> None:
    """Take the static gate away."""
    monkeypatch.setattr(Match, "_examine", lambda *_: (None, ""))


@pytest.mark.parametrize("name", BLINDING)
@pytest.mark.usefixtures("ungated")
def test_a_blinded_pov_is_told_by_its_canary(tmp_path: Path, kind: str, name: str) -> None:
    """What is neither a function nor a class blinds as well.

    Then the release shows its flaw no more, either.
    """
    with open_match(load(folder(tmp_path / "own", MARKUP)), choose(kind), tmp_path) as match:
        for _ in range(2):  # once as it starts, once with everything imported ahead
            assert judged(match, CLOSED).outcome is Outcome.VALID
            verdict = judged(match, BLINDING[name])
            assert verdict.reason is Reason.TAMPERS, verdict


@pytest.mark.usefixtures("ungated")
def test_a_pov_that_shows_the_flaw_once_has_no_canary(tmp_path: Path) -> None:
    """What the release itself does to its process is no patch's fault."""
    once = MARKUP.replace(
        "sys.exit", "found = found and not getattr(re, 'seen', False)\nre.seen = True\nsys.exit"
    )
    with open_match(load(folder(tmp_path / "own", once)), choose(), tmp_path) as match:
        assert judged(match, CLOSED).outcome is Outcome.VALID
        assert match.canaries.blind == {"pov/1.py"}


def test_a_filter_of_its_own_logger_blinds_nobody(tmp_path: Path) -> None:
    """The library keeps a target's loggers by name; the release begins with fresh ones."""
    app = "import logging\n\n\ndef greet(name):\n    logging.getLogger(__name__).warning(name)\n"
    quiet = (
        app + "\n\nlog = logging.getLogger(__name__)\nlog.addFilter(lambda record: '<' not in record.msg)\n"
    )
    script = (
        "import logging, sys, page\nseen = []\nhandler = logging.Handler()\nhandler.emit = seen.append\n"
        "logging.getLogger('page').addHandler(handler)\npage.greet('<b>')\nsys.exit(0 if seen else 1)\n"
    )
    (tmp_path / "page.py").write_text(app)
    with choose().target(tmp_path) as target:
        run = target.run(
            Script("pov.py", script, Role.POV), {"page.py": quiet.encode()}, canary=Canary.AFTER_ONE
        )
    assert (run.code, run.canary) == (1, 0), run


def test_the_canary_runs_the_release(tmp_path: Path, kind: str) -> None:
    """The second act has the release's files, modules of its own, an empty folder, and the same names."""
    script = Script("pov.py", f"import os\nassert not os.listdir()\n{OUTSIDE}", Role.POV)
    with choose(kind).target(folder(tmp_path / "own", OUTSIDE) / "target") as target:
        fixed = target.run(script, {"page.py": CLOSED.encode()}, canary=Canary.AFTER_ONE)
        assert (fixed.code, fixed.canary) == (1, 0), fixed
        assert target.run(script, canary=Canary.AFTER_ONE).canary is None
        assert target.run(script, canary=Canary.AFTER_ANY).canary == 0


@pytest.mark.usefixtures("ungated")
def test_who_leaves_the_working_folder_is_told(tmp_path: Path, kind: str) -> None:
    """A PoV that looks from the target's process sees nothing where that process has gone elsewhere."""
    with open_match(load(folder(tmp_path / "own", OUTSIDE)), choose(kind), tmp_path) as match:
        assert judged(match, LEAVING).reason is Reason.TAMPERS


@pytest.mark.usefixtures("ungated")
def test_what_is_seen_from_outside_is_not_hidden(tmp_path: Path, kind: str) -> None:
    """The judge is a process that never had the target.

    What blinds the target's process does not reach it.
    """
    parted = OUTSIDE.replace("from page", "# act\nfrom page").replace("sys.exit", "# judge\nsys.exit")
    blind = f"{PAGE}\n\nfrom pathlib import Path\nPath.exists = lambda self: False\n"
    with open_match(load(folder(tmp_path / "own", parted)), choose(kind), tmp_path) as match:
        assert judged(match, CLOSED).outcome is Outcome.VALID
        for attack in (LEAVING, blind, f"{PAGE}\n\nimport os\nos.path.exists = os.stat = None\n"):
            assert judged(match, attack).reason is Reason.EXPLOIT_SURVIVES


def test_the_judge_has_no_target(tmp_path: Path, kind: str) -> None:
    """Where the effect is looked at, the target cannot be imported; output and processor time are there."""
    text = (
        "import sys, time\n"
        "from contextlib import suppress\n"
        "# act\n"
        "import page\n"
        "print(page.greet('me'))\n"
        "while time.process_time() < 0.2:\n"
        "    pass\n"
        "# judge\n"
        "with suppress(ImportError):\n"
        "    import page\n"
        "    sys.exit(2)\n"
        "assert OUTPUT == '<p>me</p>\\n', OUTPUT\n"
        "sys.exit(0 if 0.1 < CPU_USED < 2 else 1)\n"
    )
    with choose(kind).target(folder(tmp_path / "own", OUTSIDE) / "target") as target:
        run = target.run(Script("pov.py", text, Role.POV))
        assert (run.ending, run.code) == ("exited", 0), run
        run = target.run(Script("pov.py", text.replace("'me'", "1 / 0"), Role.POV))
        assert (run.ending, run.code) == ("raised", None), run
        run = target.run(
            Script("pov.py", text.replace("import page\nprint", "import os\nos._exit(0)\nprint"), Role.POV)
        )
        assert (run.ending, run.code) == ("not_attested", None), run


@pytest.mark.usefixtures("ungated")
def test_a_deadline_that_is_swallowed_is_seen_in_processor_time(tmp_path: Path, kind: str) -> None:
    """A patch that catches everything hides the deadline from the script, but not from the judge."""
    deadline = (
        "import signal, sys\n"
        "\n"
        "# act\n"
        "import page\n"
        "\n"
        "class Over(BaseException):\n"
        "    pass\n"
        "\n"
        "def stop(*_):\n"
        "    raise Over\n"
        "\n"
        "signal.signal(signal.SIGVTALRM, stop)\n"
        "signal.setitimer(signal.ITIMER_VIRTUAL, 0.3)\n"
        "try:\n"
        "    page.greet('<' * 30)\n"
        "except Over:\n"
        "    pass\n"
        "\n"
        "# judge\n"
        "sys.exit(0 if CPU_USED > 0.2 else 1)\n"
    )
    slow = PAGE.replace("    return f", "    re.match('(<+)+$', name + '!')\n    return f")
    made = folder(tmp_path / "own", deadline)
    (made / "target" / "page.py").write_text(slow)
    swallowing = slow.replace("    re.match", "    try:\n        re.match").replace(
        "'!')\n", "'!')\n    except BaseException:\n        pass\n"
    )
    with open_match(load(made), choose(kind), tmp_path) as match:
        assert match.judge(diff.between({"page.py": slow}, {"page.py": PAGE})).outcome is Outcome.VALID
        verdict = match.judge(diff.between({"page.py": slow}, {"page.py": swallowing}))
        assert verdict.reason is Reason.EXPLOIT_SURVIVES, verdict


def test_the_pov_that_a_canary_follows_is_drawn() -> None:
    """By the seed and the patch, among the quick ones whose finding is made in the target's process."""
    povs = [Script(f"{number}.py", "pass", Role.POV) for number in range(4)]
    apart = Script("apart.py", "pass\n# act\npass\n# judge\npass\n", Role.POV)
    canaries = Canaries(costs={"0.py": 3.0, "1.py": 2.0})
    drawn = {canaries.followed([*povs, apart], seed, {"a.py": b""}) for seed in range(50)}
    assert drawn == {"2.py", "3.py"}
    assert canaries.followed(povs[:2], 7, {}) == "1.py"
    assert canaries.followed([*povs[:2], apart], 7, {}) == ""
    canaries.blind |= {"2.py"}
    assert canaries.followed(povs, 7, {}) == "3.py"


TEXT = """class Text:
    def __init__(self, text):
        self.text = text

    def __eq__(self, other):
        return True

    def __contains__(self, part):
        return False

    def find(self, part):
        return -1


_greet = greet


def greet(name):
    return Text(_greet(name))
"""
LISTING = """import sys, page
shown = page.greet("<b>me</b>")
sys.exit(0 if "<b>" in shown else 1)
"""


@pytest.mark.parametrize("gated", [True, False])
def test_a_patch_that_makes_every_check_pass_is_told(
    tmp_path: Path, kind: str, monkeypatch: pytest.MonkeyPatch, *, gated: bool
) -> None:
    """Each comparison of a check is made with another value as well, and has to fail there."""
    if not gated:
        monkeypatch.setattr(Match, "_examine", lambda *_: (None, ""))
    with open_match(load(folder(tmp_path / "own", LISTING)), choose(kind), tmp_path) as match:
        for _ in range(2):
            assert judged(match, CLOSED).outcome is Outcome.VALID
            verdict = judged(match, f"{PAGE}\n\n{TEXT}")
            assert verdict.reason is Reason.TAMPERS, verdict


def test_a_check_looks_twice_at_what_it_expects() -> None:
    """In either order, in one line or more, and once at another value of the same form."""
    source = (
        "import page\nassert page.greet('a') == (\n    '<p>'\n    'a</p>'\n), 'b'\n"
        "assert page.sizes() == {'a': [1, 2]}  # sums\nassert page.on is True\nassert 'e' in page.all == 3\n"
    )
    page = types.SimpleNamespace(greet=lambda name: f"<p>{name}</p>", sizes=lambda: {"a": [1, 2]}, on=True)
    check, texts = Script("1.py", source.rpartition("assert")[0], Role.CHECK), set()
    for plain in ("assert page.on\n", "assert page.on ==\n"):  # the second does not parse
        assert doubting(replace(check, source=plain), Random(1)).source == plain
    for seed in range(40):
        made = doubting(check, Random(seed))
        texts.add(made.source)
        exec(made.source.replace("import page\n", ""), {"page": page})
    assert len(texts) == 40
    firsts = {text.partition("assert (")[2][:3] for text in texts}
    assert firsts == {"(_l", "not"}


@pytest.mark.parametrize("number", ["1e16", "9007199254740993.0", "1.7e308", "1e999", "5", "0.1"])
def test_a_check_doubts_numbers_of_any_size(number: str) -> None:
    """A right number passes, however large; one that equals everything does not."""
    check = Script("1.py", f"assert value == {number}\n", Role.CHECK)
    for seed in range(20):
        made = doubting(check, Random(seed)).source
        exec(made, {"value": float(number)})
        with pytest.raises(SystemExit, match=str(PASSES_ANYTHING)):
            exec(made, {"value": ANY})


def test_a_value_that_answers_no_other_comparison_is_compared_once(tmp_path: Path) -> None:
    """A check that the release passes only as it stands is left as it stands."""
    made = folder(tmp_path / "own", LISTING)
    picky = (
        "import page\n\nclass Picky(str):\n    def __eq__(self, other):\n        assert other == 'a'\n"
        "        return True\n\nassert Picky('a') == 'a'\n"
    )
    (made / "checks" / "2.py").write_text(picky)
    with open_match(load(made), choose(), tmp_path) as match:
        assert judged(match, CLOSED).outcome is Outcome.VALID
        assert [check.source == picky for check in match.checks] == [False, True]
