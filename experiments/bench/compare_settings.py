"""Measure what each setting costs: one closed loop on services that differ in one setting.

Run it as ``python experiments/bench/compare_settings.py [SECONDS]``. Redis and PostgreSQL are started for it.
Each service is new: two seconds that are not counted fill its caches, then sixteen connections ask for
patches of Zipf popularity as fast as they are answered. Prints a table in Markdown. Exits 1 where an answer
was wrong or none came; which setting is fastest depends on the machine and on what else it does.
"""

from __future__ import annotations

import json
import shutil
import sys
import tempfile
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from crisol.config import load_settings
from crisol.lab import ground_truth
from crisol.loadtest.material import prepare
from crisol.loadtest.plan import LoadPlan
from crisol.loadtest.run import Load
from crisol.loadtest.service import ask, serving
from crisol.servers import PostgresServer, RedisServer

if TYPE_CHECKING:
    from collections.abc import Mapping

    from crisol.config import Settings
    from crisol.loadtest.material import Material

SHOWN = ("throughput", "p50_ms", "p99_ms", "share_cache", "share_wargame", "server_cores", "server_memory_mb")
WARM_UP = 2.0


@dataclass(frozen=True)
class Setting:
    """A row.

    Environment variables, servers, workers, and the share of the patches of which the model is unsure.
    """

    name: str
    changes: Mapping[str, str] = field(default_factory=dict)
    redis: bool = False
    postgres: bool = False
    workers: int = 1
    unsure: float = 0.1


def rows(plain: Path) -> list[Setting]:
    """Return what is compared; rows of a group differ in what their name says and in nothing else."""
    model_alone = {"CRISOL_CACHE_MB": "0", "AB_TEST_RATE": "0"}
    return [
        Setting("cache in process, DuckDB, A/B 0.1"),
        Setting("… cache off", {"CRISOL_CACHE_MB": "0"}),
        Setting("… cache in Redis", redis=True),
        Setting("… PostgreSQL", postgres=True),
        Setting("… A/B 0", {"AB_TEST_RATE": "0"}),
        Setting("… A/B 1", {"AB_TEST_RATE": "1"}),
        Setting("Redis and PostgreSQL, one worker", redis=True, postgres=True),
        Setting("… two workers", redis=True, postgres=True, workers=2),
        Setting("model alone (cache off, A/B 0), compiled", model_alone, unsure=0.0),
        Setting("… scikit-learn", model_alone | {"CRISOL_MODEL": str(plain)}, unsure=0.0),
    ]


def measure(settings: Settings, material: Material, setting: Setting, seconds: float) -> dict[str, float]:
    """Return the figures of a new service.

    ``trials`` are those in its store, of all workers that were asked.
    """
    with ExitStack() as stack:
        changes = dict(setting.changes)
        # New ones for each row: nothing is found that another row has left there.
        if setting.redis:
            redis = RedisServer.start()
            stack.callback(redis.close)
            changes["REDIS_URL"] = redis.url
        if setting.postgres:
            postgres = PostgresServer.start()
            stack.callback(postgres.close)
            changes["DATABASE_URL"] = postgres.dsn
        service = stack.enter_context(
            serving(
                settings, model=material.model, policy=material.policy,
                workers=setting.workers, changes=changes,
            )
        )  # fmt: skip
        for limit in (WARM_UP, seconds):
            plan = LoadPlan(requests=200_000, connections=16, seconds=limit, warm_up=0.0, timeout=30.0)
            metrics = Load(service.url, material, plan, pid=service.pid).finish().metrics
        status = ask(service.url, "/wargaming/ab-testing/status")[1]
    return metrics | {"trials": status["stored"]}


def main() -> None:
    """Print a row for each setting."""
    seconds = float(sys.argv[1]) if len(sys.argv) > 1 else 6.0
    settings = load_settings()
    frame = ground_truth.open_corpus(settings, "", 0)
    materials = {unsure: prepare(settings, frame, 0, unsure=unsure) for unsure in (0.0, 0.1)}
    folder = Path(tempfile.mkdtemp(prefix="crisol-plain-"))
    wrong = 0.0
    shown = (*SHOWN, "trials")
    try:
        print(f"| setting | {' | '.join(shown)} |\n|---|{'---|' * len(shown)}")
        for setting in rows(_plain(materials[0.0].model, folder / "model")):
            metrics = measure(settings, materials[setting.unsure], setting, seconds)
            wrong += metrics["wrong_answers"] + (metrics["errors"] == 1.0)
            figures = " | ".join(
                f"{metrics[name]:,.3g}" if metrics[name] < 1000 else f"{metrics[name]:,.0f}" for name in shown
            )
            print(f"| {setting.name} | {figures} |", flush=True)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    sys.exit(wrong > 0)


def _plain(model: Path, place: Path) -> Path:
    """Copy a model without its compiled form: it is served by scikit-learn then."""
    shutil.copytree(model, place)
    content = json.loads((place / "serving.json").read_text())
    (place / "serving.json").write_text(json.dumps(content | {"sha256": ""}))
    (place / "model.onnx").unlink()
    return place


if __name__ == "__main__":
    main()
