"""The allowed values of a notebook parameter, read from the start of its comment.

>>> domain("[0, 1] share of the patches").admits(0.5)
True
>>> domain("(0, 1) share of the patches").admits(0.0)
False
>>> str(domain("{group, project} by what folds are made"))
'one of group, project'
>>> domain("by what folds are made") is None
True
"""

from __future__ import annotations

import re
from dataclasses import dataclass

__all__ = ["Domain", "domain"]

_NUMBER = r"\s*([-+]?(?:inf|\d+(?:\.\d+)?(?:e[-+]?\d+)?))\s*"
_INTERVAL = re.compile(rf"([\[(]){_NUMBER},{_NUMBER}([\])])(?:\s|$)")
_CHOICE = re.compile(r"\{([\w-]+(?:,\s*[\w-]+)*)\}(?:\s|$)")


@dataclass(frozen=True, slots=True)
class Domain:
    """The values that a notebook parameter may have: an interval of numbers, or a choice of texts.

    ``low`` and ``high`` are the ends of the interval, both 0 for a choice. ``choices`` are the texts; the
    tuple is empty for an interval. ``text`` is the notation, such as ``(0, 1]`` (a round bracket excludes its
    end) or ``{group, project}``.
    """

    text: str
    low: float = 0.0
    high: float = 0.0
    choices: tuple[str, ...] = ()

    def admits(self, value: object) -> bool:
        """Return whether a parameter may have this value; for a list, whether each member is allowed.

        An interval allows numbers only, a choice texts only.
        """
        if isinstance(value, list):
            return all(self.admits(member) for member in value)
        if self.choices:
            return value in self.choices
        if not isinstance(value, int | float):
            return False
        above = value > self.low or (value == self.low and self.text.startswith("["))
        below = value < self.high or (value == self.high and self.text.endswith("]"))
        return above and below

    def __str__(self) -> str:
        return f"one of {', '.join(self.choices)}" if self.choices else f"within {self.text}"


def domain(comment: str) -> Domain | None:
    """Return the allowed values that a parameter's comment states at its start, None if it states none.

    ``comment`` is the text after ``# ``. Allowed values are written as an interval such as ``[0, 1]`` or
    ``(0, inf)``, or as a choice such as ``{group, project}``. The result is also None where this notation is
    malformed.
    """
    if match := _INTERVAL.match(comment):
        text = f"{match[1]}{match[2]}, {match[3]}{match[4]}"
        return Domain(text, float(match[2]), float(match[3]))
    if match := _CHOICE.match(comment):
        return Domain(match[0].strip(), choices=tuple(re.split(r",\s*", match[1])))
    return None
