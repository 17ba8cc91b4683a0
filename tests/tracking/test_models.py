"""The registry: what is registered is a real MLflow model, and the title goes forth and back."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from urllib.parse import urlsplit

import httpx
import pandas as pd
import psycopg
import pytest

from crisol.config import Settings
from crisol.errors import InputError, ModelError, StoreError
from crisol.lab import promotion
from crisol.lab.promotion import Registered, promote, promote_version
from crisol.model import serving, training
from crisol.model.predictor import Predictor
from crisol.model.variants import load_variants
from crisol.tracking import models, registry, runs, store
from crisol.tracking.pyfunc import EXAMPLE, TabularModel
from crisol.tracking.registry import CHALLENGER
from support.model_data import patches, small

VARIANTS = Path(__file__).parents[2] / "experiments" / "variants.yaml"


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(root=tmp_path)


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of an exported model."""
    folder = tmp_path_factory.mktemp("exported")
    variant = small(load_variants(VARIANTS)["classic_forest"])
    serving.export(training.train(variant, patches(8, 6), seed=0), folder)
    return folder


def registered(
    settings: Settings, exported: Path, alias: str = registry.CHAMPION, **tags: str
) -> tuple[str, str]:
    """Register the model in a run of its own; return (version, run id)."""
    with runs.start(settings, "toy") as run:
        return models.register(run, exported, tags, alias), run.id


def test_the_registry_fails_by_one_type_of_error(settings: Settings, exported: Path) -> None:
    """A version that does not exist, and a tag that MLflow refuses, are errors of the store."""
    registered(settings, exported)
    with pytest.raises(StoreError, match="version 9 of patch-validity cannot be marked"):
        models.record_gate(settings, "9", "passed")
    with runs.start(settings, "toy") as run, pytest.raises(StoreError, match="cannot be registered"):
        models.register(run, exported, {"not\na name": "x"})


def test_a_store_that_fails_is_no_store_without_models(settings: Settings) -> None:
    """Otherwise a promotion would take the failure for a missing champion, and replace the champion."""
    store.open_client(settings)
    with contextlib.closing(sqlite3.connect(settings.runs / "mlflow.db")) as connection:
        connection.execute("DROP TABLE registered_models")
    for read in (models.versions, models.holder, models.holder_tags, models.roll_back):
        with pytest.raises(StoreError, match="model 'patch-validity' cannot be read: "):
            read(settings)


def test_the_last_registered_model_is_the_champion(settings: Settings, exported: Path) -> None:
    with pytest.raises(StoreError, match="no patch-validity@champion yet"):
        registry.champion_folder(settings)
    assert models.versions(settings) == []
    registered(settings, exported, variant="one")
    version, _ = registered(settings, exported, variant="two")
    assert models.holder_tags(settings) is not None
    assert [(model.version, model.variant) for model in models.versions(settings)] == [
        (version, "two"),
        ("1", "one"),
    ]
    assert Predictor.load(registry.champion_folder(settings)).serving.variant == "classic_forest"


SCRIPT = """
import mlflow, pandas as pd
model = mlflow.pyfunc.load_model("models:/patch-validity@champion")
inputs = {column.name: column.required for column in model.metadata.signature.inputs}
assert inputs == {"diff": True, "cwe": False}, inputs
example = model.input_example
table = pd.concat([example, example], ignore_index=True)
print(model.predict(table).to_json(orient="records"))
assert len(model.predict(table[["diff"]])) == 2
"""


def loaded_by_mlflow(settings: Settings, exported: Path) -> None:
    """Load the champion as a user of MLflow does, in a process of its own, and check what it says."""
    environment = {key: value for key, value in os.environ.items() if key != "CRISOL_ROOT"}
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", SCRIPT],
        env=environment | {"MLFLOW_TRACKING_URI": store.open_store(settings)},
        cwd="/",
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    golden = serving.open_serving(exported).golden
    for row in json.loads(done.stdout):
        assert row["probability"] == pytest.approx(golden, abs=1e-5)
        assert row["advice"] == "wargame"


@pytest.mark.integration
def test_the_champion_is_a_model_of_mlflow(settings: Settings, exported: Path) -> None:
    """MLflow loads it by its alias; it has a signature and an example, and takes a table."""
    registered(settings, exported, variant="one")
    loaded_by_mlflow(settings, exported)


@pytest.fixture
def server(postgres_dsn: str, tmp_path: Path) -> Iterator[str]:
    """Start an MLflow server on PostgreSQL that keeps the artifacts, and yield its address."""
    name = f"mlflow_server_{os.getpid()}"
    with psycopg.connect(postgres_dsn, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}")
    backend = urlsplit(postgres_dsn)._replace(scheme="postgresql+psycopg", path=f"/{name}").geturl()
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    options = ["--backend-store-uri", backend, "--artifacts-destination", str(tmp_path / "kept")]
    options += ["--host", "127.0.0.1", "--port", str(port), "--workers", "1"]
    process = subprocess.Popen(
        [sys.executable, "-W", "ignore", "-m", "mlflow", "server", *options],
        env=os.environ | {"MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    address = f"http://127.0.0.1:{port}"
    try:
        wait_for(lambda: httpx.get(f"{address}/health").status_code == 200, process)
        yield address
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def wait_for(ready: Callable[[], bool], process: subprocess.Popen[bytes]) -> None:
    """Return once ``ready`` says so; raise where the process ends before, or after a while."""
    deadline = time.monotonic() + 400
    while time.monotonic() < deadline:
        assert process.poll() is None, "the server ended"
        try:
            if ready():
                return
        except httpx.TransportError:
            pass
        time.sleep(0.2)
    raise TimeoutError


@pytest.mark.integration
@pytest.mark.timeout(600)
def test_runs_models_and_artifacts_live_on_a_server_on_postgresql(
    server: str, exported: Path, tmp_path: Path
) -> None:
    """What one machine logs, another one reads and serves; neither has a store of its own."""
    here, there = (Settings(root=tmp_path / name, mlflow_tracking_uri=server) for name in ("here", "there"))
    with runs.start(here, "toy") as run:
        run.params({"seed": 3})
        run.table("scores", pd.DataFrame({"a": [1.5]}))
        with run.child("inner") as nested:
            nested.metrics({"auc": 0.75}, step=2)
        models.register(run, exported, {"variant": "one"})
    assert (run.fetch() / "tables" / "scores.csv").read_text().split() == ["a", "1.5"]
    assert list((tmp_path / "kept").rglob("scores.csv"))
    model = models.holder(there)
    assert model is not None
    assert (model.variant, model.run_id) == ("one", run.id)
    assert Predictor.load(registry.champion_folder(there)).serving.variant == "classic_forest"
    assert not list(tmp_path.rglob("mlflow.db"))
    loaded_by_mlflow(there, exported)


@pytest.mark.parametrize("other", [True, False])
def test_a_version_that_another_process_downloads_meanwhile_is_taken(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, other: bool
) -> None:
    """Without that other process, a folder that cannot be written is an error of the store."""
    version = SimpleNamespace(version="1", run_id="run", tags={})
    folder = settings.runs / "artifacts" / "fetched" / f"{registry.MODEL}-run"

    def download(*, dst_path: str, **_: str) -> None:
        if not other:
            raise OSError("no space left")
        for place in (folder, Path(dst_path) / "model"):
            (place / "data" / "served").mkdir(parents=True)

    client = SimpleNamespace(get_model_version_by_alias=lambda *_: version)
    monkeypatch.setattr(models, "open_client", lambda _: client)
    monkeypatch.setattr(models, "download_artifacts", download)
    there = settings.model_copy(update={"mlflow_tracking_uri": "http://127.0.0.1:9"})
    if other:
        assert models.holder(there) is not None
        assert registry.champion_folder(there).samefile(folder / "data" / "served")
    else:
        with pytest.raises(StoreError, match="cannot be downloaded: no space left"):
            models.holder(there)


def test_a_row_that_is_no_diff_is_named(exported: Path) -> None:
    with pytest.raises(InputError, match="row 1: "):
        TabularModel(exported).predict(pd.DataFrame({"diff": [EXAMPLE["diff"][0], "hello"]}))


def test_a_store_that_was_moved_still_knows_its_champion(
    settings: Settings, exported: Path, tmp_path: Path
) -> None:
    registered(settings, exported, variant="toy")
    (tmp_path / "other").mkdir()
    (tmp_path / "mlruns").rename(tmp_path / "other" / "mlruns")
    moved = Settings(root=tmp_path / "other")
    assert registry.champion_folder(moved).is_relative_to(tmp_path / "other")


def test_a_champion_that_was_chosen_in_the_user_interface_is_served(
    settings: Settings, exported: Path
) -> None:
    (_, first), (_, second) = (registered(settings, exported, variant=name) for name in ("one", "two"))
    assert second in str(registry.champion_folder(settings))
    store.open_client(settings).set_registered_model_alias(registry.MODEL, registry.CHAMPION, "1")
    model = models.holder(settings)
    assert model is not None
    assert (model.version, model.variant) == ("1", "one")
    assert first in str(registry.champion_folder(settings))


@pytest.mark.parametrize(
    "content",
    ["", "[]", "{}", '{"folder": null}', '{"folder": "nowhere"}', json.dumps({"folder": "x" * 5000}),
     "[" * 100_000],
)  # fmt: skip
def test_a_pointer_that_cannot_be_read_is_named(settings: Settings, content: str) -> None:
    """It is a damaged champion, not a missing one, which is a StoreError."""
    settings.runs.mkdir()
    (settings.runs / "champion.json").write_text(content)
    with pytest.raises(ModelError, match=r"champion\.json"):
        registry.champion_folder(settings)


def test_the_same_model_is_registered_once(settings: Settings, exported: Path) -> None:
    first, _ = registered(settings, exported, model_version="a", seed="0")
    assert registered(settings, exported, model_version="a", seed="0")[0] == first
    assert registered(settings, exported, model_version="b", seed="0")[0] != first


def test_the_title_goes_back_one_champion_at_a_time(settings: Settings, exported: Path) -> None:
    """A challenger that never held it is passed over; the first champion has none before it."""
    with pytest.raises(StoreError, match="to go back from"):
        models.roll_back(settings)
    for name in ("one", "two"):
        registered(settings, exported, variant=name)
    registered(settings, exported, CHALLENGER, variant="waits")
    registered(settings, exported, variant="four")
    assert models.roll_back(settings).variant == "two"
    assert models.holder_tags(settings) == {**(models.holder_tags(settings) or {}), "variant": "two"}
    assert models.roll_back(settings).variant == "one"
    with pytest.raises(StoreError, match="first champion"):
        models.roll_back(settings)


def test_a_store_that_takes_no_write_lets_no_title_go_back(settings: Settings, exported: Path) -> None:
    """The caller gets an error of the store, and the champion stays."""
    for name in ("one", "two"):
        registered(settings, exported, variant=name)
    with contextlib.closing(sqlite3.connect(settings.runs / "mlflow.db")) as connection:
        connection.executescript("""
            CREATE TRIGGER full BEFORE DELETE ON registered_model_aliases
            BEGIN SELECT RAISE(ABORT, 'no room'); END;
            CREATE TRIGGER full_too BEFORE UPDATE ON registered_model_aliases
            BEGIN SELECT RAISE(ABORT, 'no room'); END;
            CREATE TRIGGER full_as_well BEFORE INSERT ON registered_model_aliases
            BEGIN SELECT RAISE(ABORT, 'no room'); END;
        """)
    with pytest.raises(StoreError, match="cannot go back to version 1: "):
        models.roll_back(settings)
    assert (models.holder_tags(settings) or {})["variant"] == "two"


def test_a_version_takes_the_title_by_its_gate_alone(settings: Settings, exported: Path) -> None:
    """Never from a champion on more vulnerabilities, and never where its gate said no, unless forced."""
    many, few = {"vulnerabilities": "128"}, {"vulnerabilities": "3"}
    registered(settings, exported, variant="small", **few)
    registered(settings, exported, CHALLENGER, variant="worse", **many)
    models.record_gate(settings, "2", "its Brier score is higher")
    registered(settings, exported, variant="large", **many)
    assert "stands on 128 vulnerabilities" in promote_version(settings, "1").reason
    assert "its Brier score is higher" in promote_version(settings, "2").reason
    assert (models.holder(settings) or models.versions(settings)[0]).version == "3"
    with pytest.raises(ModelError, match="there are 3, 2, 1"):
        promote_version(settings, "7")
    assert promote_version(settings, "1", force=True).promoted
    models.record_gate(settings, "3", "passed")
    assert promote_version(settings, "3").promoted


def test_a_forced_champion_has_not_passed_its_gate(
    settings: Settings, exported: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever forced it once must force it again."""

    class Compared:
        """What a forced promotion reads of a comparison."""

        certified = {"worse": None}  # noqa: RUF012 - never changed
        evaluations = (SimpleNamespace(name="worse"),)
        patches = ()
        groups = ("a", "b")

    def register(*_: object) -> Registered:
        return Registered(registered(settings, exported, CHALLENGER, variant="worse")[0], "")

    registered(settings, exported, variant="small")
    monkeypatch.setattr(promotion, "register", register)
    with runs.start(settings, "forced") as run:
        assert promote(settings, run, Compared(), "worse", 0, force=True).promoted  # type: ignore[arg-type]
    models.move_alias(settings, "1")
    refused = promote_version(settings, "2")
    assert not refused.promoted
    assert "because it was forced" in refused.reason
