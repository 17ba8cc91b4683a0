"""Simulate candidates that arrive one after the other, and the decisions of a policy on them.

A stream is the order in which the candidates of one vulnerability arrive. When a candidate arrives, the
memory holds the verdicts known from the start, and those on earlier patches that were wargamed. A patch that
was decided without a wargame adds no verdict.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from crisol.diff import Patch
from crisol.evidence.memory import COLUMNS, Judged, Memory
from crisol.model.policy import LadderPolicy

__all__ = ["Arrival", "Believe", "Played", "Recalled", "Stream", "play", "recalled", "same_code", "streams"]

_Floats = NDArray[np.float64]

_NEAR, _COLD, _KNOWN = (COLUMNS.index(name) for name in ("valid_similarity", "cold", "known"))

Believe = Callable[[_Floats, NDArray[np.int_]], _Floats]
"""A function of memory rows, shape (n, columns), and their groups, shape (n,), to probabilities of valid."""


@dataclass(frozen=True, slots=True)
class Arrival:
    """A judged candidate, as it arrives in a simulated stream.

    ``patch`` is the candidate with its verdict. ``code`` is a text that is equal for candidates that change
    the same code, "" if unknown; see :func:`same_code`. ``seconds`` is the duration of the wargame. If
    ``reference`` is True, the candidate is a public fix: its verdict is known from the start of a stream.
    """

    patch: Judged
    code: str = ""
    seconds: float = 0.0
    reference: bool = False


@dataclass(frozen=True, slots=True)
class Stream:
    """One order in which the candidates of one group arrive.

    ``group`` is the group's number. ``known`` and ``order`` are positions in a list of arrivals: the verdicts
    of ``known`` are known from the start, the candidates of ``order`` arrive one by one.
    """

    group: int
    known: tuple[int, ...]
    order: tuple[int, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Played:
    """The result of a simulation: arrays of shape (n,), with one element for each arrival of each stream.

    The elements of one stream are in the order of arrival.

    - ``arrival``, ``stream``: indices in the lists ``arrivals`` and ``chosen``, two arguments of
      :func:`play`.
    - ``known``: how many verdicts earlier wargames of the stream gave, without those known from the start.
    - ``decision``: 1 for accepted, -1 for rejected, 0 for wargamed.
    - ``rung``: the rung that decided. It is ``equivalent`` (an earlier patch has the same changes, see
      :func:`same_code`), ``memory``, ``model`` or ``wargame``.
    - ``probability``: the probability of valid by the memory row; 1 or 0 for the rung ``equivalent``.
    - ``near_valid``: the similarity to the most similar patch that is known to be valid; nan if there is
      none.
    """

    arrival: NDArray[np.int_]
    stream: NDArray[np.int_]
    known: NDArray[np.int_]
    probability: _Floats
    decision: NDArray[np.int_]
    rung: NDArray[np.str_]
    near_valid: _Floats


@dataclass(frozen=True, slots=True, eq=False)
class Recalled:
    """The memory row of each arrival of each stream, one stream after the other.

    ``rows`` has shape (n, columns); the other arrays have shape (n,). ``arrival`` is the arrival's index in
    the list of all arrivals, ``stream`` the stream's index in the list of all streams. ``known`` is the
    number of verdicts that earlier wargames of the stream gave, without those that were known from the start.
    """

    rows: _Floats
    arrival: NDArray[np.int_]
    stream: NDArray[np.int_]
    known: NDArray[np.int_]

    def played(self, probability: _Floats) -> Played:
        """Return a simulation in which every patch of the streams is wargamed.

        ``probability`` (n,) is the probability of valid for each row; the result stores it.
        """
        nothing = np.zeros(len(self.arrival), dtype=np.int_)
        rung = np.full(len(self.arrival), "wargame")
        return Played(self.arrival, self.stream, self.known, probability, nothing, rung, self.rows[:, _NEAR])


def same_code(patch: Patch) -> str:
    """Return a hash that is equal for patches that change the same code lines at the same places.

    It is a text of 64 hexadecimal digits. Comment lines and blank lines do not count. The vulnerable source
    is not needed. With that source, :mod:`crisol.wargaming.program` compares patches more exactly.
    """
    digest = hashlib.sha256(b"crisol-code-1")
    for change in patch.files:
        digest.update(repr((change.old, change.new)).encode(errors="replace"))
        for hunk in change.hunks:
            at = hunk.old_start
            for line in hunk.lines:
                code = line[1:].rstrip()
                if line[0] != " " and code.strip() and not code.lstrip().startswith("#"):
                    digest.update(repr((line[0], at, code)).encode(errors="replace"))
                at += line[0] != "+"
    return digest.hexdigest()


def streams(
    arrivals: Sequence[Arrival], group: NDArray[np.int_], *, repeats: int, seed: int, shuffled: bool = True
) -> list[Stream]:
    """Return ``repeats`` streams for each group, in which the group's candidates arrive in a random order.

    The groups are in ascending order. An arrival whose ``reference`` is True is in ``known`` of the streams
    and not in their ``order``, because its verdict is known from the start. ``group`` (arrivals,) is the
    number of each arrival's group; ``seed`` draws the orders. With ``shuffled`` False there is one stream for
    each group, in the order of ``arrivals``.
    """
    rng = np.random.default_rng(seed)
    made = []
    for number in np.unique(group):
        members = np.flatnonzero(group == number).tolist()
        known = tuple(at for at in members if arrivals[at].reference)
        others = np.array([at for at in members if not arrivals[at].reference], dtype=np.int_)
        for _ in range(repeats if shuffled else 1):
            order = rng.permutation(others) if shuffled else others
            made.append(Stream(int(number), known, tuple(int(at) for at in order)))
    return made


def recalled(arrivals: Sequence[Arrival], chosen: Sequence[Stream], *, seed: int | None = None) -> Recalled:
    """Return the memory row of each arrival of the streams ``chosen``, from the verdicts known before it.

    If ``seed`` is None, every patch is wargamed, and all earlier verdicts of the stream are known. Otherwise
    some of these verdicts stay unknown, as if a policy had skipped their wargames; a second stage is trained
    on such rows. ``seed`` draws for each stream the probability, 0.2 to 1, with which a verdict becomes
    known.
    """
    rng = None if seed is None else np.random.default_rng(seed)
    rows, where = [], []
    for number, stream in enumerate(chosen):
        memory, share = _opened(arrivals, stream), 1.0 if rng is None else rng.uniform(0.2, 1.2)
        opened = len(memory)
        for at in stream.order:
            patch = arrivals[at].patch
            rows.append(memory.recall(patch.sketch, patch.probability).row)
            where.append((at, number, len(memory) - opened))
            if rng is None or rng.random() < share:
                memory.add(patch)
    arrived, walked, known = np.array(where, dtype=np.int_).reshape(-1, 3).T
    return Recalled(np.array(rows).reshape(len(rows), len(COLUMNS)), arrived, walked, known)


def play(
    arrivals: Sequence[Arrival],
    chosen: Sequence[Stream],
    believe: Believe,
    policy: LadderPolicy,
    *,
    facts: bool = True,
) -> Played:
    """Simulate the streams ``chosen`` under a policy; nothing is executed, because all verdicts are recorded.

    ``arrivals`` is the list to whose positions the streams refer. ``believe`` is a function from memory rows
    (n, columns) and group numbers (n,) to probabilities of valid (n,). ``policy`` is a
    :class:`~crisol.model.policy.LadderPolicy`, with one policy for the second stage and one for the model.
    Four rungs are tried in this order, until one decides:

    - facts, unless ``facts`` is False: the known verdict on an arrival with the same ``code``;
    - the memory, if any verdict is known: ``policy.memory`` decides by the probability from ``believe``;
    - the model: ``policy.model`` decides by the probability from the diff alone;
    - a wargame, whose verdict is known from then on.
    """
    walks = [
        _Walk(number, stream, _opened(arrivals, stream), arrivals) for number, stream in enumerate(chosen)
    ]
    done: list[tuple[int, int, int, float, int, str, float]] = []
    for step in range(max((len(stream.order) for stream in chosen), default=0)):
        asked = [walk for walk in walks if step < len(walk.stream.order)]
        rows = np.empty((len(asked), len(COLUMNS)))
        for at, walk in enumerate(asked):
            patch = arrivals[walk.stream.order[step]].patch
            rows[at] = walk.memory.recall(patch.sketch, patch.probability).row
        probability = believe(rows, np.array([walk.stream.group for walk in asked]))
        for walk, row, belief in zip(asked, rows, probability, strict=True):
            done.append(walk.decide(step, float(belief), row, policy, facts=facts))
    arrival, stream, known, belief, decision, rung, near = zip(*done, strict=True) if done else [()] * 7
    return Played(
        np.array(arrival, dtype=np.int_), np.array(stream, dtype=np.int_), np.array(known, dtype=np.int_),
        np.array(belief), np.array(decision, dtype=np.int_), np.array(rung, dtype=np.str_), np.array(near),
    )  # fmt: skip


@dataclass(slots=True)
class _Walk:
    """The state of one simulated stream.

    ``number`` is the stream's index in the list of all streams. ``verdicts`` maps the ``code`` of an arrival
    to whether a patch with that code is valid. ``known`` counts the verdicts that wargames of this stream
    gave.
    """

    number: int
    stream: Stream
    memory: Memory
    arrivals: Sequence[Arrival]
    verdicts: dict[str, bool] = field(default_factory=dict)
    known: int = 0

    def __post_init__(self) -> None:
        self.verdicts = {
            self.arrivals[at].code: self.arrivals[at].patch.valid
            for at in self.stream.known
            if self.arrivals[at].code
        }

    def decide(
        self, step: int, belief: float, row: _Floats, policy: LadderPolicy, *, facts: bool
    ) -> tuple[int, int, int, float, int, str, float]:
        near, rung = float(row[_NEAR]), "memory"
        at = self.stream.order[step]
        arrival, known = self.arrivals[at], self.known
        settled = self.verdicts.get(arrival.code) if facts and arrival.code else None
        if settled is not None:
            return at, self.number, known, float(settled), 1 if settled else -1, "equivalent", near
        outcome = policy.remembered(belief, int(row[_KNOWN]))
        if outcome is None:
            outcome, rung = policy.model.decide(1 / (1 + math.exp(-row[_COLD]))), "model"
        if outcome is not None:
            return at, self.number, known, belief, 1 if outcome == "valid" else -1, rung, near
        self.memory.add(arrival.patch)
        self.known += 1
        if arrival.code:
            self.verdicts[arrival.code] = arrival.patch.valid
        return at, self.number, known, belief, 0, "wargame", near


def _opened(arrivals: Sequence[Arrival], stream: Stream) -> Memory:
    memory = Memory()
    for at in stream.known:
        memory.add(arrivals[at].patch)
    return memory
