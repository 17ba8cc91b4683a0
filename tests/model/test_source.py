from __future__ import annotations

import dataclasses
import time
from pathlib import Path

import numpy as np
import pytest

from crisol.config import load_settings
from crisol.diff import between, parse
from crisol.errors import DatasetError, ModelError
from crisol.lab.compare import with_source
from crisol.lab.promotion import check_served
from crisol.model.matrix import PatchMatrix
from crisol.model.source.change import change_of
from crisol.model.source.features import SOURCE_FEATURES, SOURCE_VERSION, PublicFacts, vector
from crisol.model.source.registered import with_sources
from crisol.model.variants import load_variants
from crisol.records import LabelledPatch
from crisol.wargaming.parsing import parsed
from support.model_data import patches

ROOT = Path(__file__).parents[2]
VARIANTS = load_variants(ROOT / "experiments" / "variants.yaml")
NOTHING = PublicFacts()
RUN = """import subprocess

def run(name, limit=10):
    command = "ls " + name
    if len(name) > limit:
        raise ValueError(name)
    try:
        return subprocess.Popen(command, shell=True)
    except OSError:
        return None
"""


def measured(old: str, new: str, facts: PublicFacts = NOTHING) -> dict[str, float]:
    """Return the features of the change from one text of ``x.py`` to another, by name."""
    source = {"x.py": old}
    values = vector(parse(between(source, {"x.py": new})), source, facts)
    return {feature.name: value for feature, value in zip(SOURCE_FEATURES, values, strict=True)}


def test_every_feature_says_what_it_is() -> None:
    assert SOURCE_VERSION
    assert len({feature.name for feature in SOURCE_FEATURES}) == len(SOURCE_FEATURES)
    assert all(feature.unit and feature.group and feature.doc.endswith(".") for feature in SOURCE_FEATURES)
    diff_names = {feature.name for feature in PatchMatrix().features}
    assert diff_names.isdisjoint(feature.name for feature in SOURCE_FEATURES)


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (("    try:", "    if name.startswith('-'):\n        raise ValueError(name)\n    try:"),
         {"guards_fresh": 1, "guards_on_input_net": 1, "complexity_net": 1, "guarded_sinks_net": 0}),
        (("    if len(name) > limit:\n        raise ValueError(name)\n", ""),
         {"guards_gone": 1, "guarded_sinks_net": -1}),
        (("if len(name) > limit:", "if len(name) > limit or ';' in name:"),
         {"conditions_stricter": 1, "conditions_laxer": 0}),
        (("if len(name) > limit:", "if len(name) > limit and ';' in name:"),
         {"conditions_stricter": 0, "conditions_laxer": 1}),
        (('command = "ls " + name', 'command = "ls " + quote(name)'),
         {"reached_before": 1, "reached_net": -1, "validation_calls_net": 1, "calls_fresh": 1}),
        (("except OSError:\n        return None", "except Exception:\n        pass"),
         {"broad_handlers_net": 1, "silent_handlers_net": 1, "handlers_net": 0, "returns_net_tree": -1}),
        (("shell=True", "shell=False"),
         {"keywords_fresh": 1, "keywords_gone": 1, "findings_net": 0, "severity_net": -8}),
        (("limit=10", "limit=20"), {"constants_fresh": 1, "constants_gone": 1, "statements_net": 0}),
        (("def run(name, limit=10):", "def run(name, limit=10, more=None):"),
         {"parameters_net": 1, "tainted_net": 1}),
        (("import subprocess", "import subprocess, shlex"), {"outside_functions": 1, "functions_touched": 0}),
        (("raise ValueError(name)", "raise ValueError(name"),
         {"breaks_syntax": 1, "parses_after": 0, "parses_before": 1}),
    ],
)  # fmt: skip
def test_what_a_change_does_to_the_tree_is_counted(
    change: tuple[str, str], expected: dict[str, float]
) -> None:
    assert change[0] in RUN
    values = measured(RUN, RUN.replace(*change))
    assert {name: values[name] for name in expected} == expected


def test_likeness_follows_what_the_description_and_the_pov_speak_of() -> None:
    facts = PublicFacts(
        "The command that run hands to the shell holds the name.", "import x\nx.run('; touch owned')"
    )
    near = measured(RUN, RUN.replace('"ls " + name', '"ls " + shell_name(command)'), facts)
    far = measured(RUN, RUN.replace('"ls " + name', '"ls " + zebra(giraffe)'), facts)
    assert near["added_like_description"] > far["added_like_description"]
    assert near["named_in_pov"] == near["named_in_description"] == 1
    assert 0 < near["touched_like_description"] <= 1
    assert measured(RUN, RUN.replace("10", "11"))["touched_like_pov"] == 0


def test_a_source_that_is_not_known_or_does_not_fit_gives_zeros() -> None:
    patch = parse(between({"x.py": RUN}, {"x.py": RUN.replace("10", "11")}))
    for source in ({}, {"x.py": "other\n"}, {"y.py": RUN}):
        assert set(vector(patch, source, PublicFacts())) == {0.0}


HOSTILE = {
    "nul": "a = 1\0\n",
    "brackets": "x = " + "(" * 90 + ")" * 90 + "\n",
    "open": "(" * 100_000,
    "sum": "x = " + "1 + " * 100_000 + "1\n",
    "minus": "x = " + "-" * 100_000 + "1\n",
    "attributes": "x = a" + ".a" * 100_000 + "\n",
    "calls": "x = f" + "()" * 100_000 + "\n",
    "elif": "if a:\n    pass\n" + "elif a:\n    pass\n" * 20_000,
    "indented": "".join(" " * level + "def f():\n" for level in range(600)) + " " * 600 + "pass\n",
    "lambda": "x = " + "lambda: " * 50_000 + "1\n",
    "surrogate": 'x = "\ud800"\n',
    "large": "x = 1\n" * 200_000,
    "backtick": "\\\n" * 1000,
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_sources_neither_crash_nor_hang(name: str) -> None:
    """Deep, huge and broken sources, before or after, give finite numbers within seconds of CPU."""
    start = time.process_time()
    assert parsed(HOSTILE[name]) is None or name == "backtick"
    for old, new in (
        (RUN, RUN + HOSTILE[name]),
        (HOSTILE[name] + RUN, HOSTILE[name] + RUN.replace("10", "11")),
    ):
        patch = parse(between({"x.py": RUN}, {"x.py": RUN + "# more\n"}))
        change = change_of(patch, {"x.py": old}, PublicFacts("a", "b"))
        assert change is None or all(file.path == "x.py" for file in change.files)
        values = vector(patch, {"x.py": new}, PublicFacts(old[:100_000], new[:100_000]))
        assert np.isfinite(values).all()
    assert time.process_time() - start < 20


def test_a_patch_of_a_registered_vulnerability_gets_its_source_and_no_other_file() -> None:
    """The touched text of the vulnerable tree; never a path outside of it, whatever a diff names."""
    folder = ROOT / "data" / "vulnerabilities" / "arena" / "arena-sort-arguments"
    diff = (folder / "patches" / "reference.diff").read_text()
    made = LabelledPatch("1", "arena-sort-arguments", "arena", 1, diff, cwe="CWE-88")
    outside = dataclasses.replace(
        made, diff="--- a/../../vulnerability.toml\n+++ b/../vulnerability.toml\n@@ -1 +1 @@\n-a\n+b\n"
    )
    unknown = dataclasses.replace(made, group="nobody-knows")
    patches = with_sources(
        [made, outside, unknown], ROOT / "data" / "vulnerabilities", ROOT / "data" / "cache"
    )
    assert [bool(patch.source) for patch in patches] == [True, False, False]
    assert patches[0].description
    assert patches[0].pov
    assert PatchMatrix(source=True, fix=True).transform(patches)[0][-len(SOURCE_FEATURES)] == 1.0


def test_neither_verdict_nor_origin_reaches_a_feature() -> None:
    """The same patch with another label, reason, tool, project and id gives the same row."""
    text = between({"x.py": RUN}, {"x.py": RUN.replace("10", "11")})
    first = LabelledPatch("1", "g", "p", 1, text, description="run", pov="run", source={"x.py": RUN})
    other = dataclasses.replace(
        first, id="2", label=0, reason="exploit_survives", tool="upstream", project="q"
    )
    rows = PatchMatrix(source=True).transform([first, other])
    assert np.array_equal(rows[0], rows[1])


def test_a_variant_that_reads_the_source_is_measured_and_never_served() -> None:
    variant = VARIANTS["source_lightgbm"]
    with pytest.raises(ModelError, match="cannot be served"):
        check_served(variant)
    with pytest.raises(ModelError, match="cannot be served"):
        variant.estimator(0)[0].row(parse(patches(1, 1)[0].diff), "")


def test_sets_without_a_registered_vulnerability_leave_it_out() -> None:
    settings, made = load_settings(), patches(3, 3)
    kept, _ = with_source(settings, VARIANTS, made, named=False)
    assert VARIANTS.keys() - kept.keys() == {"source_lightgbm", "fix_lightgbm"}
    with pytest.raises(DatasetError, match="none of these patches"):
        with_source(settings, VARIANTS, made, named=True)


def test_an_assertion_lets_through_what_is_true() -> None:
    """One more operand of its ``and`` makes it stricter, as it makes a guard of ``if`` laxer."""
    figures = measured("def f(a, b):\n    assert a\n", "def f(a, b):\n    assert a and b\n")
    assert (figures["conditions_stricter"], figures["conditions_laxer"]) == (1, 0)
