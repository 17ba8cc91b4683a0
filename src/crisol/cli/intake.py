"""``crisol corpus import`` and ``crisol corpus remove``: take in candidate patches of other people."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Literal

import typer

from crisol.cli.console import Json, Recount, Strip, emit, out
from crisol.config import load_settings

__all__ = ["import_command", "remove_command"]


def import_command(
    path: Annotated[Path, typer.Argument(help="A JSONL, .diff or .patch file, or a folder of such files.")],
    vulnerability: Annotated[
        str,
        typer.Option(help="Id of the vulnerability; needed unless each line of a JSONL file names its own."),
    ] = "",
    origin: Annotated[
        Literal["import", "agent"],
        typer.Option(
            help="Who wrote the patches: agent for a language model's agent, import for anyone else."
        ),
    ] = "import",
    licence: Annotated[
        str, typer.Option(help="Licence of the patches, such as MIT; it is stored with them.")
    ] = "",
    strip: Strip = None,
    recount: Recount = False,
    skip: Annotated[
        bool, typer.Option("--skip", help="Leave out patches that cannot be judged, and import the others.")
    ] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Print what would be imported, and write nothing.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Add candidate patches of your own to the corpus; the next build of the corpus judges them.

    Changes of files that the vulnerable release lacks, such as tests, are left
    out. The whole import fails if a patch cannot be judged, unless --skip is
    given. --vulnerability is the id for which the patches are meant, --licence
    the licence that their author gave them. --strip N removes N leading folders
    from every path, as patch -p does.
    """
    from crisol.diff import ReadOptions
    from crisol.records import Origin
    from crisol.wargaming.fitting import ground
    from crisol.wargaming.intake import Manner, take
    from crisol.wargaming.vulnerability import find

    settings = load_settings()
    intake = take(
        path,
        settings.inbox,
        lambda name: ground(find(settings.search_path, only=[name])[0], settings.cache),
        Manner(vulnerability, Origin(origin), licence, ReadOptions(strip, recount), skip, dry_run),
    )
    if as_json:
        emit({"written": not dry_run, **asdict(intake)})
        return
    lines = [f"cut: {line}" for line in intake.cut]
    lines += [f"skipped: {line}" for line in intake.skipped]
    lines += [f"{pair.vulnerability}: {pair.name} is the same change as {pair.other}" for pair in intake.same]
    lines += [f"{name}: {count} new" for name, count in sorted(intake.added.items())]
    lines.append("nothing was written" if dry_run else "judge them with: crisol corpus build")
    for line in lines:
        out.print(line, soft_wrap=True)


def remove_command(
    vulnerability: Annotated[str, typer.Argument(help="Id of the vulnerability.")],
    names: Annotated[list[str], typer.Argument(help="Names of imported candidates.")],
) -> None:
    """Remove imported candidates of a vulnerability; the next build leaves them out.

    NAMES are the names of the candidates. If one of them is unknown, nothing is
    removed.
    """
    from crisol.wargaming.intake import remove

    remaining = remove(load_settings().inbox, vulnerability, names)
    out.print(f"{vulnerability}: {len(set(names))} removed, {remaining} left of those taken in")
