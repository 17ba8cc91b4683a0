from __future__ import annotations

import contextlib
import multiprocessing
import os
import signal
import sqlite3
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import pandas as pd
import psycopg
import pytest
from mlflow import MlflowClient

from crisol.config import Settings
from crisol.errors import StoreError
from crisol.tracking import registry, runs

if TYPE_CHECKING:
    from pathlib import Path


def test_no_command_line_shows_the_address_of_the_store(tmp_path: Path) -> None:
    """It may hold a password, and ps shows command lines to every user."""
    uri = f"sqlite:///{tmp_path / 'elsewhere.db'}"
    settings = Settings(root=tmp_path, mlflow_tracking_uri=uri)
    command, environment = runs.ui_command(settings, 5000)
    assert uri not in " ".join(command)
    assert environment["MLFLOW_BACKEND_STORE_URI"] == uri


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(root=tmp_path)


def test_a_run_is_read_back_as_it_was_logged(settings: Settings) -> None:
    frame = pd.DataFrame({"id": ["a", "b"], "outcome": ["valid", "invalid"]})
    with runs.start(settings, "toy") as run:
        run.params({"long": "x" * 10_000})
        run.metrics({f"m{i}": i / 2 for i in range(1500)} | {"nothing": float("nan")})
        run.content("figures/a.png", b"\x89PNG")
        run.table("scores", frame)
        run.input("corpus", frame, "f" * 64, "corpus.parquet")
    seen = MlflowClient(runs.open_store(settings)).get_run(run.id)
    assert seen.info.status == "FINISHED"
    assert len(seen.data.metrics) == 1500
    assert seen.data.tags["corpus.content_hash"] == "f" * 64
    assert seen.inputs.dataset_inputs[0].dataset.digest == "f" * 36
    assert (run.folder / "figures" / "a.png").read_bytes() == b"\x89PNG"
    assert pd.read_csv(run.folder / "tables" / "scores.csv").equals(frame)


def test_runs_that_use_a_data_set_at_the_same_moment_share_it(settings: Settings) -> None:
    """MLflow looks for the data set, then adds it: the later of two additions fails in MLflow."""
    frame = pd.DataFrame({"id": ["a"]})
    opened = [runs.join(settings, "", "toy") for _ in range(4)]
    together = threading.Barrier(len(opened), timeout=30)

    def use(run: runs.TrackedRun) -> None:
        for digit in range(8):
            together.wait()
            run.input(f"corpus{digit}", frame, f"{digit}" * 64, "corpus.parquet")

    with ThreadPoolExecutor(len(opened)) as pool:
        list(pool.map(use, opened))
    for run in opened:
        run.finish()
        assert len(run.client.get_run(run.id).inputs.dataset_inputs) == 8


@pytest.mark.integration
def test_a_store_on_postgresql_is_used_where_it_is_named(postgres_dsn: str, tmp_path: Path) -> None:
    """The runs are there, their artifacts below mlruns; no file of a store is made."""
    name = f"mlflow_{os.getpid()}"
    with psycopg.connect(postgres_dsn, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}")
    uri = urlsplit(postgres_dsn)._replace(scheme="postgresql+psycopg", path=f"/{name}").geturl()
    settings = Settings(root=tmp_path, mlflow_tracking_uri=uri)
    with runs.start(settings, "toy") as run:
        run.metrics({"m": 1.0})
        run.content("a.txt", "a")
    assert MlflowClient(uri).get_run(run.id).data.metrics == {"m": 1.0}
    assert (run.folder / "a.txt").is_relative_to(settings.runs)
    assert not (settings.runs / "mlflow.db").exists()


def test_a_store_that_does_not_answer_is_told_without_its_password(tmp_path: Path) -> None:
    settings = Settings(root=tmp_path, mlflow_tracking_uri="postgresql+psycopg://me:s3cret@127.0.0.1:9/db")
    with pytest.raises(StoreError, match="MLFLOW_TRACKING_URI") as caught:
        runs.open_store(settings)
    assert "s3cret" not in str(caught.value) + repr(settings)


def test_a_run_whose_block_raises_is_marked_failed(settings: Settings) -> None:
    with pytest.raises(KeyboardInterrupt), runs.start(settings, "toy") as run:
        raise KeyboardInterrupt
    assert MlflowClient(runs.open_store(settings)).get_run(run.id).info.status == "FAILED"


def test_a_run_that_was_joined_is_not_ended_by_the_one_who_joined(settings: Settings) -> None:
    with runs.start(settings, "toy") as run:
        inner = runs.join(settings, run.id, "toy")
        inner.finish()
        assert MlflowClient(runs.open_store(settings)).get_run(run.id).info.status == "RUNNING"
    with pytest.raises(StoreError, match="cannot be opened"):
        runs.join(settings, "0" * 32, "toy")


def test_the_last_registered_model_is_the_champion(settings: Settings, tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="no patch-validity@champion yet"):
        registry.champion_folder(settings)
    for content in ("one", "two"):
        folder = tmp_path / content
        folder.mkdir()
        (folder / "model.txt").write_text(content)
        with runs.start(settings, "toy") as run:
            run.register(folder, {"variant": content})
    assert (registry.champion_folder(settings) / "model.txt").read_text() == "two"


def test_a_store_that_was_moved_still_knows_its_champion(settings: Settings, tmp_path: Path) -> None:
    (tmp_path / "model").mkdir()
    with runs.start(settings, "toy") as run:
        run.register(tmp_path / "model", {"variant": "toy"})
    (tmp_path / "mlruns").rename(tmp_path / "moved")
    (tmp_path / "other").mkdir()
    (tmp_path / "moved").rename(tmp_path / "other" / "mlruns")
    moved = Settings(root=tmp_path / "other")
    assert registry.champion_folder(moved).is_relative_to(tmp_path / "other")


def test_a_champion_that_was_chosen_in_the_user_interface_is_served(
    settings: Settings, tmp_path: Path
) -> None:
    for content in ("one", "two"):
        folder = tmp_path / content
        folder.mkdir()
        (folder / "model.txt").write_text(content)
        with runs.start(settings, "toy") as run:
            run.register(folder, {"variant": content})
    MlflowClient(runs.open_store(settings)).set_registered_model_alias(registry.MODEL, registry.CHAMPION, "1")
    assert runs.holder_tags(settings) == {"variant": "one"}
    assert (registry.champion_folder(settings) / "model.txt").read_text() == "one"


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"folder": "nowhere"}', "[" * 100_000])
def test_a_pointer_that_cannot_be_read_is_named(settings: Settings, content: str) -> None:
    settings.runs.mkdir()
    (settings.runs / "champion.json").write_text(content)
    with pytest.raises(StoreError, match=r"champion\.json"):
        registry.champion_folder(settings)


def test_the_same_model_is_registered_once(settings: Settings, tmp_path: Path) -> None:
    (tmp_path / "model").mkdir()
    with runs.start(settings, "toy") as run:
        first = run.register(tmp_path / "model", {"model_version": "a", "seed": "0"})
        assert run.register(tmp_path / "model", {"model_version": "a", "seed": "0"}) == first
        assert run.register(tmp_path / "model", {"model_version": "b", "seed": "0"}) != first


@pytest.mark.integration
def test_a_run_whose_process_was_killed_is_marked_by_the_next_one(settings: Settings) -> None:
    """A run that is still alive keeps its state, whoever starts another."""
    context = multiprocessing.get_context("spawn")
    victim = context.Process(target=_killed_run, args=(str(settings.root),))
    victim.start()
    victim.join(120)
    assert victim.exitcode == -9
    with runs.start(settings, "toy"):
        runs.join(settings, "", "toy").finish()
        client = MlflowClient(runs.open_store(settings))
        (experiment,) = client.search_experiments(filter_string="name = 'toy'")
        listed = client.search_runs([experiment.experiment_id])
        assert sorted(run.info.status for run in listed) == ["FINISHED", "KILLED", "RUNNING"]


def test_the_store_writes_ahead_and_stays_in_its_folder(settings: Settings, tmp_path: Path) -> None:
    runs.open_store(settings)
    connection = sqlite3.connect(tmp_path / "mlruns" / "mlflow.db")
    assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    connection.close()
    assert {path.name for path in tmp_path.iterdir()} == {"mlruns"}


@pytest.mark.integration
def test_processes_that_are_first_at_once_share_one_store(settings: Settings) -> None:
    """MLflow itself corrupts its schema when two processes create it together."""
    context = multiprocessing.get_context("spawn")
    workers = [context.Process(target=_one_run, args=(str(settings.root), i)) for i in range(3)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(120)
    assert [worker.exitcode for worker in workers] == [0, 0, 0]
    client = MlflowClient(runs.open_store(settings))
    (experiment,) = client.search_experiments(filter_string="name = 'toy'")
    assert len(client.search_runs([experiment.experiment_id])) == 3


def _one_run(root: str, index: int) -> None:
    from pathlib import Path  # noqa: PLC0415 - runs in a process of its own

    with runs.start(Settings(root=Path(root)), "toy") as run:
        run.metrics({"index": index})


def _killed_run(root: str) -> None:
    from pathlib import Path  # noqa: PLC0415 - runs in a process of its own

    with runs.start(Settings(root=Path(root)), "toy"):
        os.kill(os.getpid(), signal.SIGKILL)


def test_a_store_whose_maker_was_killed_is_set_aside_and_made_anew(tmp_path: Path) -> None:
    """MLflow can neither go on with a schema that was made half-way nor make it anew."""
    settings = Settings().changed(root=tmp_path)
    settings.runs.mkdir()
    database = settings.runs / "mlflow.db"
    with contextlib.closing(sqlite3.connect(database)) as half:
        half.execute("CREATE TABLE experiments (something TEXT)")
        half.execute("CREATE TABLE alembic_version (version_num TEXT)")
        half.execute("INSERT INTO alembic_version VALUES ('451aebb31d03')")
        half.commit()
    with runs.start(settings, "after") as run:
        run.tags({"a": "b"})
    assert [path.name for path in settings.runs.glob("unusable-store-*/mlflow.db")] == ["mlflow.db"]


@pytest.mark.parametrize("name", ["a?b", "a%41b"])
def test_a_folder_that_the_store_cannot_lie_in_is_refused_at_once(name: str, tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="rename"):
        runs.open_store(Settings().changed(root=tmp_path / name))
    assert not list(tmp_path.iterdir())
