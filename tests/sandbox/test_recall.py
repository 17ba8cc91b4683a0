"""What runs inherit of a warm zygote changes how soon a module is there, and nothing else."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from crisol.sandbox import Ending, Limits, Role, Run, Script, Target, choose

FILES = {
    "app.py": "import re\n"
    "WORD = re.compile('own [a-z]+', re.I)\n"
    "STATE = []\n"
    "\n"
    "\n"
    "def name():\n"
    "    return 'app'\n",
    "pack/__init__.py": "from pack import part\n",
    "pack/part.py": "VALUE = 1\n",
}
SCRIPT = Script("s.py", "import re, app, pack\nre.compile('of the script')\n", Role.CHECK)


@pytest.fixture(scope="module", params=["auto", "weak"])
def warm(tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest) -> Iterator[Target]:
    tree = tmp_path_factory.mktemp("tree")
    for name, text in FILES.items():
        (tree / name).parent.mkdir(exist_ok=True)
        (tree / name).write_text(text)
    with choose(request.param).target(tree, limits=Limits(seconds=20.0)) as target:
        target.warm([SCRIPT])
        yield target


def run(target: Target, source: str, files: dict[str, bytes | None] | None = None) -> Run:
    ended = target.run(Script("script.py", source, Role.CHECK), files)
    assert ended.ending is Ending.EXITED, ended
    return ended


FINDER = "import sys\n(finder,) = [each for each in sys.meta_path if type(each).__name__ == 'Finder']\n"


def test_code_is_there_and_modules_are_not(warm: Target) -> None:
    """A module is made anew in every run, from code that was read before it."""
    run(
        warm,
        FINDER
        + "assert finder.find_spec('app')\nassert not {'app', 'pack', 'pack.part'} & set(sys.modules)\n",
    )
    run(warm, "import app\napp.STATE.append(1)\napp.name.__defaults__ = ()\n")
    run(warm, "import app\nassert app.STATE == []\nassert app.name.__defaults__ is None\n")


def test_a_recalled_module_looks_like_any_other(warm: Target) -> None:
    """File, cached file, loader, path and source are those that the finder of files gives."""
    told = (
        "import importlib, importlib.util, inspect, sys\n"
        "seen = []\n"
        "for _ in range(2):\n"
        "    for name in ('app', 'pack', 'pack.part'):\n"
        "        module = importlib.import_module(name)\n"
        "        spec = module.__spec__\n"
        "        seen.append((module.__file__, module.__cached__, type(module.__loader__), spec.origin, "
        "spec.has_location,\n"
        "            spec.parent, spec.submodule_search_locations, inspect.getsource(module), "
        "module.__loader__.is_package(name),\n"
        "            sorted(vars(module)), module.__loader__.get_data(module.__file__)))\n"
        "        assert type(module).__name__ == 'module'\n"
        "    for name in ('app', 'pack', 'pack.part'):\n"
        "        del sys.modules[name]\n"
        "    sys.meta_path[:] = [each for each in sys.meta_path if type(each).__name__ != 'Finder']\n"
        "assert seen[:3] == seen[3:], seen\n"
    )
    run(warm, FINDER + told)


def test_what_a_patch_writes_is_what_runs(warm: Target) -> None:
    """A changed file, one that comes to stand before another, and one that is gone: none is recalled."""
    run(warm, "import app\nassert app.name() == 'new'\n", {"app.py": b"def name():\n    return 'new'\n"})
    run(warm, "import pack\nassert pack.part.VALUE == 2\n", {"pack/part.py": b"VALUE = 2\n"})
    run(warm, "import app\nassert app.PACKAGE\n", {"app/__init__.py": b"PACKAGE = True\n"})
    run(
        warm,
        "try:\n    import app\nexcept ImportError:\n    pass\nelse:\n    raise SystemError\n",
        {"app.py": None},
    )
    run(warm, "import app, pack\nassert app.name() == 'app'\nassert pack.part.VALUE == 1\n")


def test_what_a_script_changes_is_looked_up(warm: Target) -> None:
    """Another folder at the front of the path, or a package that looks elsewhere, is not passed over."""
    own = "import os, sys\nos.mkdir('own')\nopen('own/{0}.py', 'w').write('OWN = True\\n')\n"
    run(warm, own.format("app") + "sys.path.insert(0, 'own')\nimport app\nassert app.OWN\n")
    run(warm, own.format("part") + "import pack\npack.__path__[:0] = ['own']\ndel sys.modules['pack.part']\n"
        "import pack.part\nassert sys.modules['pack.part'].OWN\n")  # fmt: skip


def test_a_run_cannot_change_what_the_next_recalls(warm: Target) -> None:
    """The finder lies open to a run, which has only a copy of it."""
    run(warm, FINDER + "finder._known.clear()\ntype(finder).find_spec = lambda *names: 1 / 0\n")
    run(warm, FINDER + "import app\nassert app.name() == 'app'\nassert 'app' in finder._known\n")


def test_the_finder_leads_to_nothing_else(warm: Target) -> None:
    """From its globals and frames a run reaches the standard library alone."""
    reach = (
        "names = type(finder).find_spec.__globals__\n"
        "ours = {key for key, each in names.items() if 'crisol' in str(getattr(each, '__module__', each))}\n"
        "assert ours == {'__name__', 'Finder', 'compile_patterns'}, ours\n"
    )
    run(warm, FINDER + reach)


def test_patterns_of_modules_are_compiled_and_those_of_scripts_are_not(warm: Target) -> None:
    """How long a pattern that a script brings about takes may be the flaw.

    What a module writes on import is no input.
    """
    check = "import re\nassert [key for key in re._cache if key[1] == 'own [a-z]+']\n"
    run(warm, check + "assert not [key for key in re._cache if key[1] == 'of the script']\n")


@pytest.mark.parametrize(
    "told", ["no", "[1, 2]", '[{"app": "../app.py", "other": "app.py"}, []]', '[{}, [["a", false, "x"]]]']
)
def test_a_target_cannot_say_what_is_recalled(tmp_path: Path, told: str) -> None:
    """What is learned is not of our form, or names a file that is not the module's: nothing is recalled."""
    (tmp_path / "app.py").write_text(f"import json\njson.dumps = lambda each: {told!r}\n")
    with choose().target(tmp_path, limits=Limits(seconds=20.0)) as target:
        target.warm([SCRIPT])
        run(
            target,
            "import sys\nassert not [each for each in sys.meta_path if type(each).__name__ == 'Finder']\n",
        )
