from __future__ import annotations

import contextlib
import multiprocessing
import os
import re
import signal
import sqlite3
import subprocess
import threading
from concurrent.futures import ThreadPoolExecutor
from importlib.metadata import entry_points
from pathlib import Path
from urllib.parse import urlsplit

import pandas as pd
import psycopg
import pytest
from filelock import FileLock
from mlflow import MlflowClient
from mlflow.store.artifact.local_artifact_repo import LocalArtifactRepository

from crisol.config import Settings
from crisol.errors import StoreError
from crisol.tracking import differences, registry, runs, store, ui


def test_no_command_line_shows_the_address_of_the_store(tmp_path: Path) -> None:
    """It may hold a password, and ps shows command lines to every user."""
    uri = f"sqlite:///{tmp_path / 'elsewhere.db'}"
    settings = Settings(root=tmp_path, mlflow_tracking_uri=uri)
    command, environment = ui.ui_command(settings, 5000)
    assert uri not in " ".join(command)
    assert environment["MLFLOW_BACKEND_STORE_URI"] == uri


@pytest.mark.parametrize("name", ["a#c?d", "a%20b"])
def test_a_plain_path_of_artifacts_means_the_folder_into_which_mlflow_writes(
    name: str, tmp_path: Path
) -> None:
    """It is no URL, so # and ? end nothing."""
    address = str(tmp_path / name)
    folder = registry.local_folder(address, tmp_path)
    assert str(folder) == LocalArtifactRepository(address).artifact_dir
    assert folder.parent == tmp_path


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
    seen = MlflowClient(store.open_store(settings)).get_run(run.id)
    assert seen.info.status == "FINISHED"
    assert len(seen.data.metrics) == 1500
    assert seen.data.tags["corpus.content_hash"] == "f" * 64
    assert seen.inputs.dataset_inputs[0].dataset.digest == "f" * 36
    assert (run.fetch() / "figures" / "a.png").read_bytes() == b"\x89PNG"
    assert pd.read_csv(run.fetch() / "tables" / "scores.csv").equals(frame)


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
    assert (run.fetch() / "a.txt").is_relative_to(settings.runs)
    assert not (settings.runs / "mlflow.db").exists()


def test_a_store_that_does_not_answer_is_told_without_its_password(tmp_path: Path) -> None:
    settings = Settings(root=tmp_path, mlflow_tracking_uri="postgresql+psycopg://me:s3cret@127.0.0.1:9/db")
    with pytest.raises(StoreError, match="MLFLOW_TRACKING_URI") as caught:
        store.open_store(settings)
    assert "s3cret" not in str(caught.value) + repr(settings)


def test_a_run_whose_block_raises_is_marked_failed(settings: Settings) -> None:
    with pytest.raises(KeyboardInterrupt), runs.start(settings, "toy") as run:
        raise KeyboardInterrupt
    assert MlflowClient(store.open_store(settings)).get_run(run.id).info.status == "FAILED"


def test_a_run_that_was_joined_is_not_ended_by_the_one_who_joined(settings: Settings) -> None:
    with runs.start(settings, "toy") as run:
        inner = runs.join(settings, run.id, "toy")
        inner.finish()
        assert MlflowClient(store.open_store(settings)).get_run(run.id).info.status == "RUNNING"
    with pytest.raises(StoreError, match="cannot be opened"):
        runs.join(settings, "0" * 32, "toy")


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
        client = MlflowClient(store.open_store(settings))
        (experiment,) = client.search_experiments(filter_string="name = 'toy'")
        listed = client.search_runs([experiment.experiment_id])
        assert sorted(run.info.status for run in listed) == ["FINISHED", "KILLED", "RUNNING"]


def test_the_store_writes_ahead_and_stays_in_its_folder(settings: Settings, tmp_path: Path) -> None:
    store.open_store(settings)
    connection = sqlite3.connect(tmp_path / "mlruns" / "mlflow.db")
    assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    connection.close()
    assert {path.name for path in tmp_path.iterdir()} == {"mlruns"}


def test_a_store_that_another_process_keeps_locked_is_an_error(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The error says what could not be opened, which file is locked, and what to do."""
    monkeypatch.setattr(store, "_LOCK_SECONDS", 0.0)
    place = settings.runs.resolve()
    place.mkdir()
    with (
        FileLock(place / ".mlflow.lock"),
        pytest.raises(StoreError, match=rf"{re.escape(str(place))} cannot be opened: .*locked.* try again"),
    ):
        runs.join(settings, "", "toy")


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
    client = MlflowClient(store.open_store(settings))
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
        store.open_store(Settings().changed(root=tmp_path / name))
    assert not list(tmp_path.iterdir())


def test_a_nested_run_has_the_facts_of_its_parent(settings: Settings) -> None:
    """Parameters, data sets and code are those of the experiment; it fails where its block raises."""
    frame = pd.DataFrame({"vulnerability": ["a", "b", "b"]})
    with runs.start(settings, "toy") as run:
        run.params({"seed": 7})
        run.input("corpus", frame, "f" * 64, "corpus.parquet")
        with run.child("lightgbm", {"model": "lightgbm"}) as nested:
            nested.metrics({"auc": 0.75})
        with pytest.raises(KeyError), run.child("broken"):
            raise KeyError
    client = store.open_client(settings)
    parent, inner = client.get_run(run.id), client.get_run(nested.id)
    assert inner.data.tags["mlflow.parentRunId"] == run.id
    assert inner.info.run_name == "lightgbm"
    assert inner.data.params == {"model": "lightgbm", **parent.data.params}
    assert {
        "seed": "7",
        "corpus.rows": "3",
        "corpus.vulnerabilities": "2",
    }.items() <= inner.data.params.items()
    assert inner.inputs.dataset_inputs[0].dataset.digest == "f" * 36
    for tag in ("crisol.version", "mlflow.user"):
        assert inner.data.tags[tag] == parent.data.tags[tag] != ""
    states = {r.info.run_name: r.info.status for r in client.search_runs([parent.info.experiment_id])}
    assert states == {"toy": "FINISHED", "lightgbm": "FINISHED", "broken": "FAILED"}


def test_a_run_of_a_checkout_names_its_commit(tmp_path: Path) -> None:
    git = ["git", "-C", str(tmp_path), "-c", "user.name=a", "-c", "user.email=a@b"]
    subprocess.run([*git, "init", "-q"], check=True)
    subprocess.run([*git, "commit", "-q", "--allow-empty", "-m", "a"], check=True)
    head = subprocess.run([*git, "rev-parse", "HEAD"], check=True, capture_output=True, text=True)
    settings = Settings(root=tmp_path)
    with runs.start(settings, "toy") as run:
        pass
    tags = store.open_client(settings).get_run(run.id).data.tags
    assert tags["mlflow.source.git.commit"] == head.stdout.strip()
    assert tags["crisol.changed"] == "false"


def test_a_run_of_another_machine_that_shares_the_store_is_not_buried(tmp_path: Path) -> None:
    """Its lock lies there, and nobody here can say whether its process lives."""
    uri = f"sqlite:///{tmp_path / 'shared.db'}"
    here, there = (Settings(root=tmp_path / name, mlflow_tracking_uri=uri) for name in ("here", "there"))
    with runs.start(there, "toy") as theirs, runs.start(here, "toy"):
        assert store.open_client(here).get_run(theirs.id).info.status == "RUNNING"


@pytest.mark.skipif(
    not entry_points(group="mlflow.artifact_repository", name=registry.SCHEME),
    reason="the package is not installed with its entry point",
)
def test_a_store_that_was_moved_keeps_all_its_artifacts(settings: Settings, tmp_path: Path) -> None:
    with runs.start(settings, "toy with blanks") as run, run.child("inner") as nested:
        run.content("figures/a.txt", "a")
        nested.content("b.txt", "b")
    assert (run.fetch() / "figures" / "a.txt").is_file()
    (tmp_path / "other").mkdir()
    (tmp_path / "mlruns").rename(tmp_path / "other" / "mlruns")
    client = store.open_client(Settings(root=tmp_path / "other"))
    for id_, name in ((run.id, "figures/a.txt"), (nested.id, "b.txt")):
        assert Path(client.download_artifacts(id_, name)).read_text() in {"a", "b"}
    assert not (tmp_path / "mlruns").exists()


def test_what_differs_between_two_runs_is_told_in_markdown(settings: Settings) -> None:
    """By id, by its beginning, or by name; equal facts are left out; nested runs go by their names."""
    ids = []
    for seed, auc in ((0, 0.7), (1, 0.75)):
        with runs.start(settings, "toy") as run:
            run.params({"seed": seed, "same": "a|b"})
            run.metrics({"auc": auc, "n": 5.0})
            with run.child("lightgbm") as nested:
                nested.metrics({"auc": auc})
        ids.append(run.id)
    text = differences.difference(settings, "toy~1", "toy")
    assert text == differences.difference(settings, ids[0], ids[1][:12])
    assert f"# toy {ids[0][:8]} against toy {ids[1][:8]}" in text
    assert "| seed | 0 | 1 |" in text
    assert text.count("| auc | 0.7 | 0.75 | +0.05 |") == 2
    assert "## Metrics of lightgbm" in text
    assert "same" not in text
    assert "| n |" not in text
    assert "Nothing differs." in differences.difference(settings, "toy", ids[1])
    for wrong in ("toy~2", "nobody", "0000"):
        with pytest.raises(StoreError, match=f"run '{wrong}'"):
            differences.difference(settings, "toy", wrong)
    assert [row.id for row in differences.listed(settings)] == ids[::-1]


def test_an_experiment_leads_to_its_run_and_back(settings: Settings) -> None:
    assert runs.of_trials(settings, "boosting-1a2b3c4d") == ""
    for _ in range(2):
        with runs.start(settings, "ab_test") as run:
            run.tags({runs.EXPERIMENT_TAG: "boosting-1a2b3c4d"})
            with run.child("boosting") as nested:
                nested.tags({runs.EXPERIMENT_TAG: "boosting-1a2b3c4d"})
    assert runs.of_trials(settings, "boosting-1a2b3c4d") == run.id
    tags = store.open_client(settings).get_run(run.id).data.tags
    assert tags[runs.EXPERIMENT_TAG] == "boosting-1a2b3c4d"
    assert runs.of_trials(settings, "x' OR 'a' = 'a") == ""


def test_quotes_in_the_name_of_an_experiment_lead_to_its_run(settings: Settings) -> None:
    """No name is taken for another that differs in one character."""
    opened = {}
    for name in ("ann's", 'ann"s', "a'b\"c\\d", "Ann's", "ann_s"):
        with runs.start(settings, "ab_test") as run:
            run.tags({runs.EXPERIMENT_TAG: name})
        opened[name] = run.id
    assert {name: runs.of_trials(settings, name) for name in opened} == opened
