"""The functions of the package ``crisol`` itself: wargame, read patches, train, predict, decide, serve."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from crisol.config import Settings, load_settings
from crisol.errors import InputError, UnknownVulnerability

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    from numpy.typing import NDArray

    from crisol.diff import ReadOptions
    from crisol.model.evaluation import Evaluation
    from crisol.model.predictor import Predictor
    from crisol.model.reading import Reading
    from crisol.model.training import FittedModel
    from crisol.model.variants import Recipe
    from crisol.records import LabelledPatch, Phase, Prediction, Verdict
    from crisol.service.embedded import Server
    from crisol.wargaming.vulnerability import Vulnerability

__all__ = [
    "Dataset",
    "decide",
    "evaluate",
    "features",
    "find_vulnerability",
    "load_model",
    "predict",
    "read_patches",
    "recipe",
    "serve",
    "train",
    "wargame",
]

Model = Any
"""The name of a variant, a variant, or an estimator with the interface of scikit-learn."""


def find_vulnerability(name: str | Path, settings: Settings | None = None) -> Vulnerability:
    """Return a vulnerability, found by its id or by the path of its folder.

    >>> crisol.find_vulnerability("arena-zip-slip").cwe
    'CWE-22'

    A ``name`` that is the path of an existing folder, absolute or relative to the working directory, is taken
    as a path. Any other ``name`` is an id, searched in the folders of ``settings.search_path``. ``settings``
    None reads the environment variables. Raises :class:`~crisol.errors.UnknownVulnerability` if no
    vulnerability has this id or the folder has no ``vulnerability.toml``, and
    :class:`~crisol.errors.VulnerabilityError` if the folder is incomplete.
    """
    from crisol.wargaming.vulnerability import find, load  # noqa: PLC0415 - importing crisol must stay cheap

    folder = Path(name)
    if (folder / "vulnerability.toml").is_file():
        return load(folder)
    if folder.is_dir():
        raise UnknownVulnerability(f"{folder} holds no vulnerability.toml; see docs/vulnerability-format.md")
    settings = settings or load_settings()
    (vulnerability,) = find(settings.search_path, only=[str(name)])
    return vulnerability


def wargame(
    vulnerability: str | Path,
    patch: str | bytes | Path,
    *,
    sandbox: str = "",
    reading: ReadOptions | None = None,
    watch: Callable[[Phase], object] | None = None,
    settings: Settings | None = None,
) -> Verdict:
    """Run the PoVs and checks against a patch in a sandbox, and return the verdict.

    >>> import crisol
    >>> folder = crisol.load_settings().vulnerabilities / "arena" / "arena-zip-slip"
    >>> verdict = crisol.wargame("arena-zip-slip", folder / "patches" / "reference.diff")
    >>> print(verdict.outcome)
    valid

    ``vulnerability`` is an id or the path of a folder. ``patch`` is a unified diff as text or bytes, or the
    Path of a file. ``sandbox`` is ``auto`` (the strongest that works here), ``bubblewrap``, ``namespaces`` or
    ``weak`` (no isolation of hostile code); "" takes it from ``settings``. ``reading``, a
    :class:`crisol.diff.ReadOptions`, says how to read the diff; None reads it as git does. ``watch`` is
    called with each phase after its end; None calls nothing. ``settings`` None reads the environment
    variables.

    A faulty patch raises no error; the verdict tells its fault. Raises :class:`~crisol.errors.InputError` for
    a vulnerability or file that cannot be read, and :class:`~crisol.errors.UnavailableError` if there is no
    sandbox or the vulnerable package cannot be downloaded.
    """
    from crisol.diff import ReadOptions  # noqa: PLC0415 - importing crisol must stay cheap
    from crisol.sandbox import choose  # noqa: PLC0415 - likewise
    from crisol.wargaming.referee import open_match  # noqa: PLC0415 - likewise

    settings = settings or load_settings()
    subject = find_vulnerability(vulnerability, settings)
    text = _content(patch)
    with open_match(subject, choose(sandbox or settings.sandbox), settings.cache) as match:
        phases = match.phases(text, reading or ReadOptions())
        while True:
            try:
                phase = next(phases)
            except StopIteration as stop:
                verdict: Verdict = stop.value
                return verdict
            if watch is not None:
                watch(phase)


@dataclass(frozen=True, slots=True, eq=False)
class Dataset:
    """Labelled patches in the form that scikit-learn takes: ``X, y, groups = dataset``.

    ``X`` is a DataFrame with a row for each patch and a column for each feature. ``y``, an array of shape
    (n,), is 1 for a valid patch, else 0. ``groups``, an array of shape (n,), is the name of each patch's
    group; pass it to scikit-learn's splitters.
    """

    X: pd.DataFrame
    """The features: one row for each patch, one named column for each feature; shape (n, features)."""
    y: NDArray[np.int_]
    """The labels: 1 for a right patch, 0 for a wrong one; shape (n,)."""
    groups: NDArray[np.str_]
    """The group of each patch, by default its vulnerability; no split separates a group; shape (n,)."""

    def __iter__(self) -> Iterator[Any]:
        yield from (self.X, self.y, self.groups)


def read_patches(path: str | Path, *, group: str = "vulnerability") -> list[LabelledPatch]:
    """Return the labelled patches of a JSONL file or a corpus table (a path that ends in ``.parquet``).

    >>> import crisol
    >>> patches = crisol.read_patches(crisol.load_settings().root / "data" / "examples" / "patches.jsonl")
    >>> patches[0].group
    'arena-admin-route'

    Each line of a JSONL file is an object with the keys ``id``, ``diff``, ``label`` (1 for a valid patch,
    else 0) and the key that ``group`` names. Patches with the same value of that key form one group. The keys
    ``project``, ``tool``, ``language`` and ``cwe`` are optional. For a corpus table ``group`` is
    ``vulnerability``, ``package`` or ``cwe``; the label is the strict one, and inconclusive candidates are
    left out. Raises :class:`~crisol.errors.DatasetError` for a file that cannot be read; for JSONL it names
    the wrong line.
    """
    from crisol.model.dataset import open_set  # noqa: PLC0415 - importing crisol must stay cheap

    return open_set(path, group)


def features(patches: Iterable[LabelledPatch], *, own: Sequence[Callable[[Reading], float]] = ()) -> Dataset:
    """Compute the features of labelled patches; the dataset has a row for each patch, in the same order.

    >>> def quotes(reading):
    ...     return reading.added.counts['"']
    >>> X, y, groups = crisol.features(patches, own=[quotes])
    >>> X.shape == (len(patches), len(X.columns)), X.columns[-1]
    (True, 'quotes')

    ``own`` are functions that you wrote. Each gets the :class:`~crisol.model.reading.Reading` of a patch and
    returns a number, which becomes a further column with the function's name. A malformed diff raises no
    error; it counts as a patch that changes nothing.
    """
    import numpy as np  # noqa: PLC0415 - importing crisol must stay cheap

    from crisol.model.matrix import PatchMatrix  # noqa: PLC0415 - likewise

    patches = list(patches)
    return Dataset(
        PatchMatrix(frame=True, own=tuple(own)).transform(patches),
        np.array([patch.label for patch in patches]),
        np.array([patch.group for patch in patches]),
    )


def recipe(model: Model = "lightgbm", *, own: Sequence[Callable[[Reading], float]] = ()) -> Recipe:
    """Return a recipe, to be passed to A/B experiments and to training in place of a variant's name.

    >>> crisol.recipe("lightgbm").name
    'lightgbm'

    ``model`` is the name of a variant in ``experiments/variants.yaml``, a
    :class:`~crisol.model.variants.Variant`, or a scikit-learn classifier with ``predict_proba``. ``own`` are
    functions that you wrote; each gets a :class:`~crisol.model.reading.Reading` and returns a number, a
    further feature. Raises :class:`~crisol.errors.ExperimentError` for any other model.
    """
    from crisol.errors import ExperimentError  # noqa: PLC0415 - for one message
    from crisol.model.variants import Given, Variant, load_variants  # noqa: PLC0415 - importing crisol must stay cheap

    if isinstance(model, str):
        variants = load_variants(load_settings().root / "experiments" / "variants.yaml")
        if model not in variants:
            raise ExperimentError(f"no variant is called {model!r}; there are {', '.join(variants)}")
        model = variants[model]
    plain = model if isinstance(model, Variant | Given) else Given(model)
    return Given(plain.estimator(0).set_params(patches__own=tuple(own)), plain.name) if own else plain


def evaluate(
    patches: Iterable[LabelledPatch],
    model: Model = "lightgbm",
    *,
    own: Sequence[Callable[[Reading], float]] = (),
    seed: int = 0,
    folds: int = 10,
) -> Evaluation:
    """Measure a model by cross-validation; no model is tested on a group that it was trained on.

    >>> from sklearn.naive_bayes import GaussianNB
    >>> bayes = crisol.evaluate(patches, GaussianNB(), folds=3)
    >>> bayes.name, bayes.n == len(patches)
    ('gaussiannb', True)

    ``model`` is the name of a variant in ``experiments/variants.yaml``, a
    :class:`~crisol.model.variants.Variant`, or a scikit-learn classifier or pipeline with ``predict_proba``,
    which is trained on the features of :func:`features`. ``own`` are functions that you wrote; each gets a
    :class:`~crisol.model.reading.Reading` and returns a number, a further feature. The number of folds
    is the smallest of three numbers: ``folds``, the groups, and the patches of the rarer class. The same
    ``seed`` gives the same result. Raises :class:`~crisol.errors.ExperimentError` for any other model,
    and :class:`~crisol.errors.DatasetError` for fewer than two groups, fewer than two patches of a class, or
    ``folds`` below two.
    """
    from crisol.model import evaluation  # noqa: PLC0415 - importing crisol must stay cheap

    return evaluation.evaluate(recipe(model, own=own), list(patches), seed=seed, folds=folds)


def train(
    patches: Iterable[LabelledPatch],
    model: Model = "lightgbm",
    *,
    own: Sequence[Callable[[Reading], float]] = (),
    seed: int = 0,
) -> FittedModel:
    """Train and calibrate a model on all patches and return it; its ``save(path)`` writes it to a file.

    >>> fitted = crisol.train(patches, GaussianNB())
    >>> 0.0 <= crisol.predict(fitted, patches[0].diff, cwe="CWE-22").probability <= 1.0
    True

    ``model`` is the name of a variant in ``experiments/variants.yaml``, a
    :class:`~crisol.model.variants.Variant`, or a scikit-learn classifier with ``predict_proba``. ``own`` are
    functions that you wrote; each gets a :class:`~crisol.model.reading.Reading` and returns a number, a
    further feature. A model with such features predicts in this process only; the service cannot load it. The
    same ``seed`` gives the same model. Raises :class:`~crisol.errors.ExperimentError` for any other
    ``model``, and :class:`~crisol.errors.DatasetError` for fewer than two groups, or fewer than two patches
    of a class.
    """
    from crisol.model import training  # noqa: PLC0415 - importing crisol must stay cheap

    return training.train(recipe(model, own=own), list(patches), seed=seed)


def load_model(path: str | Path | None = None, *, trust: Collection[str] = ()) -> Predictor:
    """Load a model from a saved file or from the folder of a promoted model.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     fitted.save(f"{folder}/model.skops")
    ...     crisol.load_model(f"{folder}/model.skops").form
    'scikit-learn'

    ``path`` None loads the champion. Loading runs no code from the file. A saved file may contain only
    classes that Crisol's own models use, and the classes that ``trust`` or the settings name, each as
    ``package.module.Class``; the modules of these classes are imported. Raises
    :class:`~crisol.errors.ModelError` for a file that is missing, damaged, or contains a class that is not
    allowed, and :class:`~crisol.errors.StoreError` if ``path`` is None and there is no champion yet.
    """
    from crisol.model.predictor import Predictor  # noqa: PLC0415 - importing crisol must stay cheap
    from crisol.tracking.registry import champion_folder  # noqa: PLC0415 - likewise

    settings = load_settings()
    return Predictor.load(path or champion_folder(settings), (*settings.trust, *trust))


def predict(model: Predictor | FittedModel, patch: str | bytes | Path, *, cwe: str = "") -> Prediction:
    """Return the probability that a wargame would find a patch valid; no wargame runs.

    >>> patch = crisol.load_settings().root / "data" / "examples" / "right.diff"
    >>> crisol.predict(fitted, patch, cwe="CWE-22").model_version == fitted.model_version
    True

    ``patch`` is a diff as text or bytes, or the Path of a file. The model does not see changes of tests,
    documents and other files that no wargame executes, which are recognised by their names. ``cwe`` is text
    such as ``CWE-22``, "" if unknown. Raises :class:`~crisol.errors.DiffError` for a text that is no diff,
    :class:`~crisol.errors.PatchDoesNotApply` if the diff changes only files that the model does not see, and
    :class:`~crisol.errors.InputError` if the file cannot be read.
    """
    from crisol.model.predictor import Predictor  # noqa: PLC0415 - importing crisol must stay cheap
    from crisol.wargaming.fitting import fitted  # noqa: PLC0415 - likewise

    predictor = model if isinstance(model, Predictor) else Predictor(model)
    return predictor.predict(fitted(_content(patch), None).patch, cwe)


def decide(vulnerability: str, patch: str | bytes | Path, *, cwe: str = "", **changes: Any) -> dict[str, Any]:
    """Ask the service whether a patch is valid, and return its answer: a JSON object, as a dictionary.

    >>> answer = crisol.decide("arena-zip-slip", patch)
    >>> answer["outcome"], answer["source"]
    ('valid', 'wargame')

    The whole ladder decides; a wargame runs if no other rung can. ``vulnerability`` is an id; for an unknown
    id no wargame runs, ``outcome`` is ``unknown`` and ``source`` is ``fallback``. ``patch`` is a diff as text
    or bytes, or the Path of a file. ``cwe`` is text such as ``CWE-22``, "" if unknown. ``changes`` are fields
    of :class:`~crisol.config.Settings` with new values; unless they say otherwise, the A/B rate is 0. Each
    call starts a server and stops it; for many patches use :func:`serve`. Raises
    :class:`~crisol.errors.SettingsError` for wrong settings, :class:`~crisol.errors.InputError` for a file
    that cannot be read, and :class:`~crisol.errors.UnavailableError` if the server does not start or refuses
    the request.
    """
    content = _content(patch)
    text = content if isinstance(content, str) else content.decode(errors="surrogateescape")
    with serve(**{"ab_test_rate": 0.0, **changes}) as server:
        return server.decide(vulnerability, text, cwe=cwe)


@contextmanager
def serve(settings: Settings | None = None, **changes: Any) -> Iterator[Server]:
    """Serve validation over HTTP on a free port of this machine, until the ``with`` block ends.

    >>> with crisol.serve(ab_test_rate=0.0) as server:
    ...     print(server.url[:16])
    http://127.0.0.1

    The block gets a :class:`~crisol.service.embedded.Server`: ``url`` is its address, and
    ``decide(vulnerability, diff)`` returns its answer, as :func:`decide` does. The server runs in a thread of
    this process. ``settings`` None reads the environment variables. ``changes`` are fields of
    :class:`~crisol.config.Settings` with new values, such as ``ab_test_rate=0.5``; they override
    ``settings``. The server needs the extra ``crisol[service]``. Raises :class:`~crisol.errors.SettingsError`
    for wrong settings, and :class:`~crisol.errors.UnavailableError` if the server does not start.
    """
    from crisol.service.embedded import serve as embedded  # noqa: PLC0415 - importing crisol must stay cheap

    with embedded((settings or load_settings()).changed(**{"port": 0, **changes})) as server:
        yield server


def _content(patch: str | bytes | Path) -> str | bytes:
    if not isinstance(patch, Path):
        return patch
    try:
        return patch.read_bytes()
    except OSError as error:
        raise InputError(f"{patch}: cannot be read: {error.strerror}") from None
