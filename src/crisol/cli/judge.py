"""``crisol wargame``: wargame one patch and print each phase."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.text import Text

from crisol.cli.console import Json, Recount, Strip, emit, out, read_patch
from crisol.cli.endings import Exit
from crisol.config import load_settings
from crisol.errors import SettingsError
from crisol.records import Outcome, Strength

if TYPE_CHECKING:
    from crisol.records import Phase, Verdict

__all__ = ["COLOUR", "show_phase", "wargame"]

_EXIT = {
    Outcome.VALID: Exit.VALID,
    Outcome.INVALID: Exit.INVALID,
    Outcome.INCONCLUSIVE: Exit.NOT_JUDGED,
}
COLOUR = {Outcome.VALID: "green", Outcome.INVALID: "red", Outcome.INCONCLUSIVE: "yellow"}
_LINES = 3


def wargame(
    vulnerability: Annotated[str, typer.Argument(help="Id of the vulnerability, or path of its folder.")],
    patch: Annotated[Path, typer.Argument(help="File with a unified diff; - reads standard input.")],
    as_json: Json = False,
    sandbox: Annotated[
        str,
        typer.Option(
            help="Sandbox: auto, bubblewrap, namespaces or weak (no isolation); default CRISOL_SANDBOX."
        ),
    ] = "",
    seed: Annotated[
        int | None,
        typer.Option(
            min=0, max=2**32 - 1, help="Seed of the wargame; the seed of an earlier verdict repeats it."
        ),
    ] = None,
    strip: Strip = None,
    recount: Recount = False,
    fuzz: Annotated[int, typer.Option(help="Not supported: any value but 0 is an error.")] = 0,
) -> None:
    """Wargame one patch: apply it to the vulnerable code, then run the PoVs and the checks.

    --strip N removes N leading folders from every path, as patch -p does; without
    it git's prefixes, such as a/ and b/, are removed. --recount ignores the line
    counts in the headers of hunks. There is no fuzz: all context lines must match.
    Without --sandbox the setting CRISOL_SANDBOX holds (default auto). Exit 0 if
    the patch is valid, 1 if it is invalid, 2 if it could not be judged, 64 and
    above for errors.
    """
    from crisol.diff import ReadOptions
    from crisol.sandbox import choose
    from crisol.wargaming.referee import open_match
    from crisol.workbench import find_vulnerability

    settings = load_settings()
    subject = find_vulnerability(vulnerability, settings)
    if fuzz:
        raise SettingsError(
            "--fuzz: no fuzz is taken, since a hunk laid where its context differs may mend another place; "
            "apply the patch with patch(1), look at it, and send git diff"
        )
    text = read_patch(patch)
    with open_match(subject, choose(sandbox or settings.sandbox), settings.cache, seed=seed) as match:
        steps = match.phases(text, ReadOptions(strip, recount))
        verdict: Verdict | None = None
        while verdict is None:
            try:
                phase = next(steps)
            except StopIteration as stop:
                verdict = stop.value
                break
            if not as_json:
                show_phase(phase)
    assert verdict is not None
    if as_json:
        emit(_document(subject.id, verdict))
    else:
        reason = f" ({verdict.reason})" if verdict.reason else ""
        basic = verdict.outcome_at(Strength.BASIC)
        note = f", {basic} by PoV and checks alone" if basic is not verdict.outcome else ""
        outcome = (str(verdict.outcome), f"bold {COLOUR[verdict.outcome]}")
        out.print(Text.assemble(outcome, f"{reason}{note}  {verdict.seconds:.3f} s in {verdict.sandbox}"))
    raise typer.Exit(_EXIT[verdict.outcome])


def show_phase(phase: Phase) -> None:
    """Print one phase of a wargame: its name, result, duration and detail.

    Of a detail of more than seven lines only the first three and the last three are printed.
    """
    mark, colour = ("pass", "green") if phase.reason is None else (str(phase.reason), "red")
    out.print(
        Text.assemble(f"  {phase.name:<14} ", (f"{mark:<20}", colour), f" {phase.seconds * 1000:8.1f} ms")
    )
    lines = phase.detail.splitlines()
    if len(lines) > 2 * _LINES + 1:
        left = len(lines) - 2 * _LINES
        lines = [*lines[:_LINES], f"… {left} more lines, whole with --json", *lines[-_LINES:]]
    for line in lines:
        out.print(f"{'':17}{line}", soft_wrap=True)


def _document(vulnerability: str, verdict: Verdict) -> dict[str, Any]:
    return {
        "vulnerability": vulnerability,
        "outcome": verdict.outcome,
        "reason": verdict.reason,
        "basic_outcome": verdict.outcome_at(Strength.BASIC),
        "seconds": verdict.seconds,
        "sandbox": verdict.sandbox,
        "seed": verdict.seed,
        "phases": [asdict(phase) for phase in verdict.phases],
    }
