"""Run an experiment's notebook, and store the executed notebook in MLflow.

The notebook is executed by papermill in a fresh kernel, inside one MLflow run. The executed notebook, its
HTML and the resolved parameters are stored as artifacts of that run. If a cell fails, all three are stored as
well, and the run is marked as failed.
"""

from __future__ import annotations

import logging
import re
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import jupytext
import nbformat
from jupyter_client.manager import AsyncKernelManager
from nbclient.exceptions import DeadKernelError
from nbconvert import HTMLExporter

from crisol.config import Settings
from crisol.errors import DatasetError, ExperimentError
from crisol.lab.compare import chosen_variants
from crisol.lab.experiment import NotebookExperiment, dump, resolve
from crisol.lab.pairing import paired
from crisol.lab.parameters import read_parameters
from crisol.tracking.runs import TrackedRun, start
from crisol.tracking.store import open_store

# papermill imports its clients for cloud storage, some of which emit deprecation warnings.
with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    from papermill.exceptions import PapermillExecutionError
    from papermill.execute import execute_notebook

__all__ = ["CellFailed", "Finished", "run", "to_html"]

_LONGEST_ERROR = 20_000
# IPython colours its tracebacks, but the message also goes to logs.
_COLOUR = re.compile(r"\x1b\[[0-9;]*m")

# Parameters are checked by crisol.lab.parameters; papermill's own inspector does not know ``float | None``
# and warns.
logging.getLogger("papermill").setLevel(logging.ERROR)


def _private_kernel(folder: str) -> type[AsyncKernelManager]:
    class PrivateKernel(AsyncKernelManager):
        transport = "ipc"  # Unix sockets, so that no network port is open

        def __init__(self, **options: Any) -> None:
            # An address is the prefix of five sockets' paths, and such a path has at most 107 bytes.
            super().__init__(**options, ip=f"{folder}/kernel")

    return PrivateKernel


class CellFailed(ExperimentError):
    """A cell of a notebook raised, or the notebook's kernel died.

    The message holds the cell's traceback; ``run_id`` is the id of the MLflow run, which stores the notebook
    as far as it ran.
    """

    exit_code = 70

    def __init__(self, message: str, run_id: str) -> None:
        super().__init__(message)
        self.run_id = run_id


@dataclass(frozen=True, slots=True)
class Finished:
    """A notebook that was executed to its end.

    ``run_id`` is the id of its MLflow run, ``artifacts`` the folder of that run's files, ``notebook`` the
    path of the executed ``.ipynb``.
    """

    run_id: str
    artifacts: Path
    notebook: Path


def run(
    experiment: NotebookExperiment, overrides: Mapping[str, str], settings: Settings, *, progress: bool = True
) -> Finished:
    """Execute an experiment's notebook in a new MLflow run, and return where the results are.

    ``overrides`` maps the name of a parameter, or ``seed``, to a text, such as ``0.5``. The value that the
    text describes replaces the value in the experiment. ``progress`` shows a progress bar. Raises
    :class:`CellFailed` where a cell raises or the kernel dies; the MLflow run then stores the notebook as far
    as it ran. Raises :class:`~crisol.errors.ExperimentError` for an unknown parameter or variant, a wrong
    value, or a notebook without the parameters ``seed`` and ``run_id``. Raises
    :class:`~crisol.errors.DatasetError` for a corpus table that does not exist, and
    :class:`~crisol.errors.StoreError` if MLflow's store cannot be opened.
    """
    experiment = resolve(experiment, overrides)
    reserved = read_parameters(experiment.notebook)
    if "seed" not in reserved or "run_id" not in reserved:
        raise ExperimentError(f"{experiment.notebook}: the parameters cell must have 'seed' and 'run_id'")
    _check_names(settings, experiment.parameters)
    open_store(settings)
    with start(settings, experiment.name) as tracked:
        tracked.params({"seed": experiment.seed, **experiment.parameters})
        tracked.tags({"crisol.question": experiment.question, "mlflow.note.content": experiment.question})
        tracked.content("experiment.yaml", dump(experiment))
        _execute(settings, experiment, tracked, progress=progress)
    folder = tracked.fetch()
    return Finished(tracked.id, folder, folder / f"{experiment.notebook.stem}.ipynb")


_conversion = logging.getLogger("crisol.conversion")
"""The logger of nbconvert, which shows errors alone: nbconvert warns of figures without alternative text."""
_conversion.setLevel(logging.ERROR)


def to_html(notebook: nbformat.NotebookNode) -> str:
    """Return a notebook as one HTML page that loads nothing over the network."""
    exporter = HTMLExporter(  # type: ignore[no-untyped-call]  # traitlets' constructors have no types
        template_name="lab",
        log=_conversion,
        embed_images=True,
        mathjax_url="",
        require_js_url="",
        jquery_url="",
        mermaid_js_url="",
        mermaid_layout_elk_js_url="",
        jupyter_widgets_base_url="",
    )
    body, _ = exporter.from_notebook_node(notebook)
    return str(body)


def _check_names(settings: Settings, parameters: Mapping[str, Any]) -> None:
    corpus = parameters.get("corpus", "")
    if corpus and not (settings.root / corpus).is_file():
        raise DatasetError(f"corpus: there is no table {corpus}; crisol corpus build makes one")
    names = [*parameters.get("variants", []), *filter(None, [parameters.get("variant", "")])]
    if names:
        chosen_variants(settings, names)


def _execute(settings: Settings, experiment: NotebookExperiment, run: TrackedRun, *, progress: bool) -> None:
    with TemporaryDirectory(prefix="crisol-") as folder:
        source = Path(folder) / "source.ipynb"
        result = Path(folder) / f"{experiment.notebook.stem}.ipynb"
        source.write_text(paired(experiment.notebook), encoding="utf-8")
        try:
            execute_notebook(
                source,
                result,
                parameters={**experiment.parameters, "seed": experiment.seed, "run_id": run.id},
                kernel_name="python3",
                kernel_manager_class=_private_kernel(folder),
                # A kernel is interrupted before it is shut down, and would report that as an error.
                extra_arguments=["--IPKernelApp.log_level=CRITICAL"],
                progress_bar={"desc": experiment.name, "leave": False, "ncols": 79} if progress else False,
                cwd=settings.root.resolve(),
            )
        except DeadKernelError as error:
            message = (
                f"{experiment.notebook.name}: the kernel died ({error}); was it killed, or out of memory?"
            )
            raise CellFailed(message, run.id) from None
        except PapermillExecutionError as error:
            text = "\n".join(error.traceback)[-_LONGEST_ERROR:] or f"{error.ename}: {error.evalue}"
            message = (
                f"{experiment.notebook.name}, cell [{error.exec_count}] failed:\n{_COLOUR.sub('', text)}"
            )
            raise CellFailed(message, run.id) from None
        finally:
            if result.exists():
                _keep(run, result)


def _keep(run: TrackedRun, result: Path) -> None:
    run.file(result)
    run.content(f"{result.stem}.html", to_html(jupytext.read(result)))
