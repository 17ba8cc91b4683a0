"""``crisol predict``: print a model's prediction for one patch."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated

import typer

from crisol.cli.console import Json, emit, out, read_patch
from crisol.cli.endings import Exit
from crisol.config import load_settings
from crisol.errors import SettingsError
from crisol.records import Outcome

__all__ = ["predict"]

_ADVICE = {Outcome.VALID: "accept", Outcome.INVALID: "reject", None: "wargame it"}
_EXIT = {"accept": Exit.VALID, "reject": Exit.INVALID, "wargame it": Exit.NOT_JUDGED}


def predict(
    patch: Annotated[Path, typer.Argument(help="File with a unified diff; - reads standard input.")],
    cwe: Annotated[str, typer.Option(help="CWE of the flaw that the patch is to fix, such as CWE-79.")] = "",
    model: Annotated[
        Path | None, typer.Option(help="Model folder or .skops file; default the champion.")
    ] = None,
    vulnerability: Annotated[
        str,
        typer.Option(
            help="Id or folder of the vulnerability; its release tells which files of the patch count."
        ),
    ] = "",
    why: Annotated[
        bool, typer.Option("--why", help="Also print the probability, the model version and the thresholds.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Predict whether a patch is valid; nothing of the patch is executed.

    Exit 0 if the model accepts the patch, 1 if it refuses the patch, 2 if only a
    wargame can tell.
    """
    from crisol.model.predictor import Predictor
    from crisol.tracking.registry import champion_folder
    from crisol.wargaming.fitting import fitted
    from crisol.workbench import find_vulnerability

    weakness = _cwe_id(cwe) if cwe else ""
    text = read_patch(patch)
    settings = load_settings()
    subject = find_vulnerability(vulnerability, settings) if vulnerability else None
    predictor = Predictor.load(model or champion_folder(settings), settings.trust)
    cut = fitted(text, subject.vulnerable(settings.cache) if subject else None)
    prediction = predictor.predict(cut.patch, weakness or (subject.cwe if subject else ""))
    serving = predictor.serving
    advice = _ADVICE[serving.policy.decide(prediction.probability)]
    if as_json:
        emit(
            {
                "probability": prediction.probability,
                "advice": advice,
                "model": prediction.model_version,
                "features": prediction.feature_version,
                "seconds": prediction.seconds,
                "thresholds": serving.reason,
                "form": predictor.form,
                "left_out": [str(path) for path in cut.left_out],
            }
        )
    else:
        wargame = f"crisol wargame {vulnerability or 'VULNERABILITY'} {patch}"
        lines = [
            {
                "accept": "accept: a wargame would call this patch valid",
                "reject": "reject: a wargame would call this patch invalid",
                "wargame it": f"not sure: run the wargame: {wargame}",
            }[advice]
        ]
        if cut.detail:
            lines.append(cut.detail)
        if why:
            milliseconds = f"{prediction.seconds * 1000:.2f} ms"
            by = f"in {milliseconds} by {prediction.model_version} ({predictor.form})"
            lines += [
                f"{prediction.probability:.3f} probability of valid, {by}",
                f"thresholds: {serving.reason}",
            ]
        out.print("\n".join(lines), soft_wrap=True)
    raise typer.Exit(_EXIT[advice])


def _cwe_id(text: str) -> str:
    number = re.fullmatch(r"(?i)(?:cwe-?)?0*([1-9][0-9]{0,4})", text.strip())
    if number is None:
        raise SettingsError(f"--cwe {text!r} is no weakness; write CWE-79")
    return f"CWE-{number[1]}"
