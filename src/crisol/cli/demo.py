"""``crisol demo``: the whole pipeline once, from a first verdict to a report."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from crisol.cli import corpus
from crisol.cli.console import out
from crisol.config import load_settings

if TYPE_CHECKING:
    from crisol.config import Settings

__all__ = ["demo"]

_SHOWN = "arena-zip-slip"
_QUICK = frozenset(
    {
        "CVE-2017-11424",
        "CVE-2019-7537",
        "CVE-2022-29217",
        "CVE-2024-36039",
        "CVE-2024-37891",
        "CVE-2024-53861",
        "CVE-2025-68131",
        "CVE-2025-9375",
        "arena-admin-route",
        "arena-directory-ldap",
        "arena-invoice-idor",
        "arena-profile-assign",
        "arena-request-framing",
        "arena-search-xss",
        "arena-token-signature",
        "arena-webhook-ssrf",
    }
)
"""The ids of 16 vulnerabilities: of each corpus the eight with the shortest wargames, of eight CWEs.

They were chosen without a look at the models' scores.
"""


def demo(
    jobs: corpus.Jobs = 0,
    seed: Annotated[
        int, typer.Option(help="Seed by which mutants, folds and sampled patches are chosen.")
    ] = 0,
    vulnerabilities: Annotated[
        int | None,
        typer.Option(
            help="Number of vulnerabilities; 0: all; default 16 with short wargames.",
            min=0,
            show_default=False,
        ),
    ] = None,
    mutants: Annotated[
        int, typer.Option(help="Largest number of mutants for each vulnerability.", min=0)
    ] = 2,
) -> None:
    """Run the whole pipeline on a part of the corpus: wargames, model variants, A/B experiment, report.

    With --vulnerabilities N it takes N vulnerabilities, in turn from each corpus;
    0 takes all. --mutants is the largest number of mutants for each
    vulnerability.
    """
    from crisol.lab import demo as lab_demo
    from crisol.wargaming.vulnerability import find, portion

    settings = load_settings()
    _print_example_verdicts(settings)
    available = find(settings.search_path, skip=corpus.left_out)
    if vulnerabilities is None:
        chosen = [flaw for flaw in available if flaw.id in _QUICK] or available
    else:
        chosen = portion(available, vulnerabilities)
    frame = corpus.build(chosen, corpus.plan(settings, mutants, seed), jobs)
    corpus.composition(frame)
    result = lab_demo.run(settings, frame, seed)
    out.print()
    for value, meaning in result.conclusion.numbers:
        out.print(f"{value:>8}  {meaning}", highlight=False)
    out.print()
    for sentence in result.conclusion.sentences:
        out.print(sentence, highlight=False)
    out.print(
        f"\n{result.champion}\nverdicts: {result.table}\nreport: {result.report}\n\nTry next:\n{_next()}",
        soft_wrap=True,
        highlight=False,
    )


def _print_example_verdicts(settings: Settings) -> None:
    from crisol.workbench import wargame

    examples = settings.root / "data" / "examples"
    for name in ("right", "wrong"):
        verdict = wargame(_SHOWN, examples / f"{name}.diff", settings=settings)
        why = f" ({verdict.reason})" if verdict.reason else ""
        out.print(
            f"{_SHOWN}, {name}.diff: {verdict.outcome}{why} after {verdict.seconds:.1f} s of runs",
        )


def _next() -> str:
    """Return the commands to try next, one in a line, as they are typed in the current folder."""
    module = Path(sys.argv[0]).name == "__main__.py"  # python -m crisol
    program = Path(sys.executable if module else sys.argv[0])
    here = program.relative_to(Path.cwd()) if program.is_relative_to(Path.cwd()) else program
    start = f"./{here}" if len(here.parts) == 1 else str(here)
    start = f"{shlex.quote(start)} -m crisol" if module else shlex.quote(start)
    commands = (
        f"wargame {_SHOWN} data/examples/wrong.diff",
        f"triage {_SHOWN} data/examples/candidates",
        "ui",
    )
    return "\n".join(f"  {start} {command}" for command in commands)
