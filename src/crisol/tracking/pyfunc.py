"""The champion as an MLflow model: a table of diffs in, a table of probabilities and advice out.

::

    import mlflow, pandas as pd

    model = mlflow.pyfunc.load_model("models:/patch-validity@champion")
    model.predict(pd.DataFrame({"diff": [text], "cwe": ["CWE-22"]}))

MLflow calls :func:`_load_pyfunc` of this module with the folder that :func:`crisol.model.serving.export`
wrote.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd

from crisol.config import load_settings
from crisol.errors import DiffError, InputError, PatchDoesNotApply
from crisol.model.predictor import Predictor
from crisol.model.serving import PROBE
from crisol.records import Outcome
from crisol.wargaming.fitting import fitted

__all__ = ["EXAMPLE", "TabularModel"]

EXAMPLE = pd.DataFrame({"diff": [PROBE.diff], "cwe": [PROBE.cwe]})
"""An example of the table that :meth:`TabularModel.predict` takes."""

_ADVICE = {Outcome.VALID: "accept", Outcome.INVALID: "reject", None: "wargame"}


class TabularModel:
    """A model in MLflow's form (pyfunc), made from a model folder: :meth:`predict` takes a table.

    For single patches use :class:`~crisol.model.predictor.Predictor`.
    """

    def __init__(self, folder: Path) -> None:
        """Open a model folder; raises :class:`~crisol.errors.ModelError` if it holds no usable model."""
        self.predictor = Predictor.load(folder, load_settings().trust)

    def predict(self, model_input: pd.DataFrame, params: dict[str, Any] | None = None) -> pd.DataFrame:  # noqa: ARG002 - MLflow's form
        """Return a table with a row for each diff: probability of valid, advice and model version.

        Its columns are ``probability``, ``advice`` and ``model_version``. The advice follows the model's
        policy: ``accept``, ``reject``, or ``wargame`` for a probability between the thresholds.
        ``model_input`` has the column ``diff`` with unified diffs, and may have the column ``cwe`` with texts
        such as CWE-22 or empty cells. ``params`` is ignored. Raises ``KeyError`` without a column ``diff``,
        and :class:`~crisol.errors.InputError`, with the row's number, counted from 0, for a text that is no
        diff and for a diff that changes only files that no wargame runs, such as tests. Raises
        :class:`~crisol.errors.ModelError` if the model fails.
        """
        weaknesses = model_input["cwe"].fillna("") if "cwe" in model_input else [""] * len(model_input)
        rows = []
        for number, (text, cwe) in enumerate(zip(model_input["diff"], weaknesses, strict=True)):
            try:
                prediction = self.predictor.predict(fitted(text, None).patch, str(cwe))
            except (DiffError, PatchDoesNotApply) as error:
                raise InputError(f"row {number}: {error}") from None
            rows.append(
                {
                    "probability": prediction.probability,
                    "advice": _ADVICE[self.predictor.serving.policy.decide(prediction.probability)],
                    "model_version": prediction.model_version,
                }
            )
        return pd.DataFrame(rows, columns=["probability", "advice", "model_version"], index=model_input.index)


def _load_pyfunc(path: str) -> TabularModel:
    return TabularModel(Path(path))
