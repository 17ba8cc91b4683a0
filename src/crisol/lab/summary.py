"""The summary of an experiment's run for CI: Markdown, or JUnit's XML."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree as ET

import nbformat

from crisol.config import Settings
from crisol.lab.experiment import NotebookExperiment
from crisol.tracking.store import open_client

__all__ = ["CellResult", "RunSummary", "summarise"]

_COLOURS = re.compile(r"\x1b\[[0-9;]*m")
# The characters that XML 1.0 does not allow.
_NO_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")

_PAPERMILLS_OWN = frozenset({"injected-parameters", "papermill-error-cell-tag"})


@dataclass(frozen=True, slots=True)
class CellResult:
    """A code cell of an executed notebook.

    ``name`` is the heading above the cell, with the cell's first line. ``seconds`` is how long the cell took.
    ``error`` is the traceback of the exception that the cell raised, "" if it raised none. ``ran`` is False
    if the cell did not run, because an earlier cell failed.
    """

    name: str
    seconds: float
    error: str = ""
    ran: bool = True


@dataclass(frozen=True, slots=True)
class RunSummary:
    """The summary of an MLflow run that executed a notebook.

    ``experiment`` is the experiment's name. ``run_id`` is the id of the MLflow run, ``seed`` its seed as
    text. ``cells`` are the results of the code cells, in order. ``parameters`` and ``metrics`` map names to
    values.
    """

    experiment: str
    question: str
    run_id: str
    seed: str
    parameters: Mapping[str, str]
    cells: tuple[CellResult, ...]
    metrics: Mapping[str, float]

    @property
    def failed(self) -> bool:
        """Whether a cell of the notebook raised an exception."""
        return any(cell.error for cell in self.cells)

    def write(self, path: Path) -> None:
        """Write the summary to a file: as JUnit XML if its name ends in ``.xml``, otherwise as Markdown.

        Raises OSError where the file cannot be written.
        """
        text = self.junit() if path.suffix == ".xml" else self.markdown()
        path.write_text(text, encoding="utf-8")

    def markdown(self) -> str:
        """Return the summary as Markdown: state, parameters, metrics, and the traceback of a failed cell."""
        seconds = sum(cell.seconds for cell in self.cells)
        state = "failed" if self.failed else "passed"
        lines = [f"## {self.experiment}: {state}", "", self.question, ""]
        lines.append(f"MLflow run `{self.run_id}`, seed {self.seed}, {seconds:.1f} s")
        lines += _rows("parameter", self.parameters)
        lines += _rows("metric", {name: f"{value:.4g}" for name, value in self.metrics.items()})
        for cell in self.cells:
            if cell.error:
                lines += ["", f"### {cell.name}", "", *(f"    {line}" for line in cell.error.splitlines())]
        return "\n".join(lines) + "\n"

    def junit(self) -> str:
        """Return the summary as JUnit XML, with one test case for each code cell."""
        suite = ET.Element(
            "testsuite",
            name=self.experiment,
            tests=str(len(self.cells)),
            failures=str(sum(bool(cell.error) for cell in self.cells)),
            errors="0",
            skipped=str(sum(not cell.ran for cell in self.cells)),
            time=f"{sum(cell.seconds for cell in self.cells):.3f}",
        )
        properties = ET.SubElement(suite, "properties")
        values = {"question": self.question, "run_id": self.run_id, "seed": self.seed}
        values |= {f"parameter.{name}": value for name, value in self.parameters.items()}
        values |= {f"metric.{name}": f"{value:.6g}" for name, value in self.metrics.items()}
        for name, value in values.items():
            ET.SubElement(properties, "property", name=name, value=_NO_XML.sub("", value))
        for number, cell in enumerate(self.cells, 1):
            case = ET.SubElement(
                suite,
                "testcase",
                classname=self.experiment,
                name=_NO_XML.sub("", f"{number:02d} {cell.name}"),
                time=f"{cell.seconds:.3f}",
            )
            if cell.error:
                last = cell.error.strip().splitlines()[-1]
                failure = ET.SubElement(case, "failure", message=_NO_XML.sub("", last))
                failure.text = _NO_XML.sub("", cell.error)
            elif not cell.ran:
                ET.SubElement(case, "skipped")
        ET.indent(suite)
        return ET.tostring(suite, encoding="unicode", xml_declaration=True) + "\n"


def summarise(settings: Settings, experiment: NotebookExperiment, run_id: str) -> RunSummary:
    """Return the summary of an MLflow run that executed a notebook, whether it passed or failed.

    ``run_id`` is the id of the MLflow run, which :func:`crisol.lab.papermill.run` opened for ``experiment``.
    Raises :class:`~crisol.errors.StoreError` if MLflow's store cannot be opened, and MLflow's
    ``MlflowException`` for an unknown run.
    """
    client = open_client(settings)
    run = client.get_run(run_id)
    folder = client.download_artifacts(run_id, f"{experiment.notebook.stem}.ipynb")
    parameters = dict(sorted(run.data.params.items()))
    return RunSummary(
        experiment.name,
        experiment.question,
        run_id,
        parameters.pop("seed", str(experiment.seed)),
        parameters,
        tuple(_cells(Path(folder))),
        dict(sorted(run.data.metrics.items())),
    )


def _cells(notebook: Path) -> list[CellResult]:
    document = nbformat.read(notebook, as_version=4)  # type: ignore[no-untyped-call]  # it has no types
    heading, cells = "", []
    for cell in document.cells:
        if cell.cell_type == "markdown":
            titles = re.findall(r"(?m)^#+ (.+)$", cell.source)
            heading = titles[-1] if titles else heading
            continue
        if cell.cell_type != "code" or _PAPERMILLS_OWN & {*cell.metadata.get("tags", ())}:
            continue
        told = cell.metadata.get("papermill", {})
        errors = [output for output in cell.outputs if output.output_type == "error"]
        text = "\n".join(errors[0].traceback) or f"{errors[0].ename}: {errors[0].evalue}" if errors else ""
        first = next((line for line in cell.source.splitlines() if line.strip()), "")
        cells.append(
            CellResult(
                f"{heading}: {first}" if heading else first,
                float(told.get("duration") or 0.0),
                _COLOURS.sub("", text),
                ran=told.get("status") in {"completed", "failed"},
            )
        )
    return cells


def _rows(title: str, values: Mapping[str, str]) -> list[str]:
    if not values:
        return []
    cells = (f"| {name} | {str(value).replace('|', chr(92) + '|')} |" for name, value in values.items())
    return ["", f"| {title} | value |", "|---|---|", *cells]
