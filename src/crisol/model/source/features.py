r"""Features of a patch that are computed from the vulnerable source, before and after the patch.

Each feature is a number with a name, a unit and a description. :data:`SOURCE_VERSION` is one version for all
features. Only Python files are read.

>>> from crisol.diff import between, parse
>>> old = {"x.py": "def run(x):\n    return eval(x)\n"}
>>> new = {"x.py": "def run(x):\n    if x != 'a':\n        raise ValueError(x)\n    return eval(x)\n"}
>>> values = vector(parse(between(old, new)), old, PublicFacts(description="run evaluates what it is given"))
>>> {feature.name: value for feature, value in zip(SOURCE_FEATURES, values)}["guards_on_input_net"]
1.0
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property, lru_cache

from crisol.diff import Patch
from crisol.model.source.change import Change, PublicFacts, change_of
from crisol.model.source.findings import findings
from crisol.model.source.fix import COLUMNS, Profile, distance, profile
from crisol.model.source.likeness import added_words, likeness, touched_words
from crisol.model.source.side import Side, counted, shifted, validations

__all__ = ["SOURCE_FEATURES", "SOURCE_VERSION", "PublicFacts", "SourceFeature", "vector"]

SOURCE_VERSION = "3"
"""The version of the source's features: it changes when the same input would get other numbers."""


class View:
    """A patch applied to the vulnerable source, with the counts from which source features are computed.

    ``change`` is the applied patch. ``old`` and ``new`` count the syntax, such as guards and calls, of the
    changed functions before and after the patch. ``stricter`` is the number of conditions that became
    stricter, ``laxer`` that of conditions that became laxer; see :func:`crisol.model.source.side.shifted`.
    """

    def __init__(self, change: Change) -> None:
        self.change = change
        self.old: Side = counted(before for before, _ in change.functions if before is not None)
        self.new: Side = counted(after for _, after in change.functions if after is not None)
        self.stricter, self.laxer = shifted(self.old, self.new)

    @cached_property
    def found(self) -> tuple[tuple[float, float], tuple[float, float]]:
        """The findings of the static analyser Bandit before and after the patch: two pairs (number, weight).

        The number counts the findings, and the weight adds up their severities: 1 for low, 3 for medium, 9
        for high.
        """
        sides = ([findings(file, after=after) for file in self.change.files] for after in (False, True))
        before, after = (
            (float(sum(count for count, _ in side)), sum(weight for _, weight in side)) for side in sides
        )
        return before, after

    @cached_property
    def added(self) -> list[str]:
        """The words of the added lines, in order and with repetitions: 3 to 30 letters, in lower case.

        Common words, such as ``the`` and ``return``, are left out.
        """
        return added_words(self.change)

    @cached_property
    def from_fix(self) -> list[float]:
        """The numbers of the difference between the patch and the known fix; all are 0 if no fix is known.

        Their names are the keys of :data:`crisol.model.source.fix.COLUMNS`, in the same order.
        """
        if not self.change.facts.fix:
            return [0.0] * len(COLUMNS)
        files = tuple((file.path, file.old_text, file.new_text) for file in self.change.files)
        vector: list[float] = distance(_profile(files), _profile(self.change.facts.fix)).vector.tolist()
        return vector

    @cached_property
    def touched(self) -> list[str]:
        """The words of the changed functions before the patch: 3 to 30 letters, lower case, with repetitions.

        Common words, such as ``the`` and ``return``, are left out.
        """
        return touched_words(self.change)


@dataclass(frozen=True, slots=True)
class SourceFeature:
    """A feature that needs the vulnerable source: the function ``measure`` computes it from a :class:`View`.

    A view is a patch applied to the vulnerable source. ``doc`` describes the feature in a sentence. ``unit``
    names the things that it counts, such as ``functions``. ``group`` is the name of its feature group, such
    as ``guard``.
    """

    name: str
    unit: str
    group: str
    doc: str
    measure: Callable[[View], float]


def vector(patch: Patch, source: dict[str, str], facts: PublicFacts) -> list[float]:
    """Return the source features of a patch, in the order of the tuple :data:`SOURCE_FEATURES`.

    ``source`` maps the paths that the patch changes to their vulnerable texts; ``facts`` are the
    vulnerability's description, public PoV and known fix. All values are 0 where ``source`` is empty, where
    the patch does not apply, and where it touches no Python file.
    """
    change = change_of(patch, source, facts)
    if change is None or not change.files:
        return [0.0] * len(SOURCE_FEATURES)
    view = View(change)
    return [float(feature.measure(view)) for feature in SOURCE_FEATURES]


def _net(name: str) -> Callable[[View], float]:
    return lambda v: float(getattr(v.new, name)) - float(getattr(v.old, name))


def _from_fix(at: int) -> Callable[[View], float]:
    return lambda v: v.from_fix[at]


def _fresh(counts: Counter[str], baseline: Counter[str]) -> float:
    return float((counts - baseline).total())


def _share_outside(view: View) -> float:
    inside = {
        (at, line)
        for at, file in enumerate(view.change.files)
        for _, after in file.functions
        if after is not None
        for line in range(after.lineno, (after.end_lineno or after.lineno) + 1)
    }
    added = [(at, line) for at, file in enumerate(view.change.files) for line in file.added]
    return sum(name not in inside for name in added) / len(added) if added else 0.0


def _named(view: View, text: str) -> float:
    pairs = view.change.functions
    named = [function for before, after in pairs if (function := before or after) is not None]
    return float(any(function.name in text for function in named if not function.name.startswith("__")))


@lru_cache(maxsize=64)
def _profile(files: tuple[tuple[str, str, str], ...]) -> Profile:
    return profile({path: new for path, _, new in files}, {path: old for path, old, _ in files})


_Row = tuple[str, str, str, Callable[[View], float]]

_PARSE: tuple[_Row, ...] = (
    ("source_known", "flag", "Whether the vulnerable source is known and the patch applies.", lambda _: 1.0),
    ("parses_before", "share", "Share of touched Python files that parse before.",
     lambda v: sum(f.old is not None for f in v.change.files) / len(v.change.files)),
    ("parses_after", "share", "Share of touched Python files that parse after.",
     lambda v: sum(f.new is not None for f in v.change.files) / len(v.change.files)),
    ("breaks_syntax", "flag", "Whether a file parses before and not after.",
     lambda v: float(any(f.old is not None and f.new is None for f in v.change.files))),
)  # fmt: skip

_FUNCTION: tuple[_Row, ...] = (
    ("functions_touched", "functions", "Functions that change.", lambda v: len(v.change.functions)),
    ("functions_net", "functions", "Functions that the patch creates, less those that it removes.",
     lambda v: v.new.functions - v.old.functions),
    ("outside_functions", "share", "Share of added lines outside the functions that change.", _share_outside),
    ("function_length", "log lines", "Logarithm of the lines of the changed functions, as they were.",
     lambda v: math.log1p(v.old.lines)),
    ("statements_net", "statements", "Statements of the changed functions, after less before.",
     _net("statements")),
    ("parameters_net", "parameters", "Parameters of the changed functions, after less before.",
     _net("arguments")),
    ("returns_net_tree", "statements", "Returns, after less before.", _net("returns")),
    ("complexity_before", "log paths", "Logarithm of the cyclomatic complexity of the changed functions.",
     lambda v: math.log1p(v.old.complexity)),
    ("complexity_net", "paths", "Cyclomatic complexity, after less before.", _net("complexity")),
)  # fmt: skip

_GUARD: tuple[_Row, ...] = (
    ("guards_fresh", "conditions", "Conditions that lead straight out, or are asserted, and were not there.",
     lambda v: _fresh(v.new.guards, v.old.guards)),
    ("guards_gone", "conditions", "Such conditions that are no longer there.",
     lambda v: _fresh(v.old.guards, v.new.guards)),
    ("guards_on_input_net", "conditions",
     "Such conditions on what depends on a parameter, after less before.",
     _net("guards_on_input")),
    ("guarded_sinks_net", "calls",
        "Dangerous calls behind such a condition in their function, after less before.",
     _net("guarded_sinks")),
    ("conditions_stricter", "conditions", "Conditions that lead out on more than before, or let in on less.",
     lambda v: v.stricter),
    ("conditions_laxer", "conditions", "Conditions that lead out on less than before, or let in on more.",
     lambda v: v.laxer),
)  # fmt: skip

_CALL: tuple[_Row, ...] = (
    ("calls_fresh", "calls", "Calls of names that the functions called less often before.",
     lambda v: _fresh(v.new.calls, v.old.calls)),
    ("calls_gone", "calls", "Calls of names that the functions call less often now.",
     lambda v: _fresh(v.old.calls, v.new.calls)),
    ("sink_calls_net", "calls", "Dangerous calls, after less before.", _net("sinks")),
    ("validation_calls_net", "calls", "Calls that speak of validation, after less before.",
     lambda v: validations(v.new) - validations(v.old)),
    ("keywords_fresh", "arguments", "Named arguments of calls that were not given so before.",
     lambda v: _fresh(v.new.keywords, v.old.keywords)),
    ("keywords_gone", "arguments", "Named arguments of calls that are no longer given so.",
     lambda v: _fresh(v.old.keywords, v.new.keywords)),
    ("constants_fresh", "constants", "Numbers and texts that were not there.",
     lambda v: _fresh(v.new.constants, v.old.constants)),
    ("constants_gone", "constants", "Numbers and texts that are no longer there.",
     lambda v: _fresh(v.old.constants, v.new.constants)),
    ("limits_fresh", "constants", "Numbers and texts that something is newly compared with.",
     lambda v: _fresh(v.new.limits, v.old.limits)),
)  # fmt: skip

_HANDLER: tuple[_Row, ...] = (
    ("handlers_net", "handlers", "Exception handlers, after less before.", _net("handlers")),
    ("broad_handlers_net", "handlers", "Handlers that catch everything, after less before.", _net("broad")),
    ("silent_handlers_net", "handlers", "Handlers that do nothing, after less before.", _net("silent")),
)  # fmt: skip

_TAINT: tuple[_Row, ...] = (
    ("reached_before", "calls", "Dangerous calls of the changed functions that a parameter reaches.",
     lambda v: v.old.reached),
    ("reached_net", "calls", "Dangerous calls that a parameter reaches, after less before.", _net("reached")),
    ("tainted_net", "names", "Names that depend on a parameter, after less before.", _net("tainted")),
)  # fmt: skip

_ANALYSER: tuple[_Row, ...] = (
    ("findings_before", "findings", "What bandit finds in the touched definitions before.",
     lambda v: v.found[0][0]),
    ("findings_net", "findings", "What bandit finds there, after less before.",
     lambda v: v.found[1][0] - v.found[0][0]),
    ("severity_net", "weight", "Its weight (low 1, medium 3, high 9), after less before.",
     lambda v: v.found[1][1] - v.found[0][1]),
)  # fmt: skip

_LIKENESS: tuple[_Row, ...] = (
    ("added_like_description", "cosine", "Likeness of the added lines to the description.",
     lambda v: likeness(v.added, v.change.facts.description, v.change)),
    ("added_like_pov", "cosine", "Likeness of the added lines to the public PoV.",
     lambda v: likeness(v.added, v.change.facts.pov, v.change)),
    ("touched_like_description", "cosine", "Likeness of the changed functions to the description.",
     lambda v: likeness(v.touched, v.change.facts.description, v.change)),
    ("touched_like_pov", "cosine", "Likeness of the changed functions to the public PoV.",
     lambda v: likeness(v.touched, v.change.facts.pov, v.change)),
    ("named_in_description", "flag", "Whether the description names a changed function.",
     lambda v: _named(v, v.change.facts.description)),
    ("named_in_pov", "flag", "Whether the public PoV names a changed function.",
     lambda v: _named(v, v.change.facts.pov)),
)  # fmt: skip

_FIX: tuple[_Row, ...] = tuple(
    (name, unit, doc, _from_fix(at)) for at, (name, (unit, doc)) in enumerate(COLUMNS.items())
)

SOURCE_FEATURES: tuple[SourceFeature, ...] = tuple(
    SourceFeature(name, unit, group, doc, compute)
    for group, rows in (
        ("parse", _PARSE),
        ("function", _FUNCTION),
        ("guard", _GUARD),
        ("call", _CALL),
        ("handler", _HANDLER),
        ("taint", _TAINT),
        ("analyser", _ANALYSER),
        ("likeness", _LIKENESS),
        ("fix", _FIX),
    )
    for name, unit, doc, compute in rows
)
"""Every feature of the source, in the order of a model's columns, which follow those of the diff."""
