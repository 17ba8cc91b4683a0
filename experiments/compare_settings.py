"""What each setting costs and brings: the same closed loop on services that differ in one setting from the first.

Run it as ``python experiments/compare_settings.py``. Redis and PostgreSQL are started for it. Exits 1 where an answer was wrong
or none came; which setting is fastest depends on the machine and on what else it does.
"""

from __future__ import annotations

import argparse
import json
import shutil
import sys
import tempfile
from pathlib import Path

from crisol.config import load_settings
from crisol.lab import ground_truth
from crisol.lab.load.material import prepare
from crisol.lab.load.plan import Plan
from crisol.lab.load.run import Load
from crisol.lab.load.service import serving
from crisol.lab.servers import PostgresServer, RedisServer

SHOWN = ("throughput", "p50_ms", "p99_ms", "hit_ratio", "share_wargame", "server_cores", "server_memory_mb")


def main() -> None:
    """Print a row for each setting."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--requests", type=int, default=3_000)
    requests = parser.parse_args().requests
    settings = load_settings()
    material = prepare(settings, ground_truth.open_corpus(settings, "", 0), 0)
    redis, postgres = RedisServer.start(), PostgresServer.start()
    folder = Path(tempfile.mkdtemp(prefix="crisol-plain-"))
    wrong = 0.0
    try:
        servers = {"REDIS_URL": redis.url, "DATABASE_URL": postgres.dsn}
        plain = _plain(material.model, folder / "model")
        compared: dict[str, tuple[dict[str, str], int]] = {
            "cache in process, DuckDB, A/B 0.1": ({}, 1),
            "cache off": ({"CRISOL_CACHE_MB": "0"}, 1),
            "cache in Redis": ({"REDIS_URL": redis.url}, 1),
            "PostgreSQL": ({"DATABASE_URL": postgres.dsn}, 1),
            "both, one worker": (servers, 1),
            "both, two workers": (servers, 2),
            "plain model": ({"CRISOL_MODEL": str(plain)}, 1),
            "A/B 0": ({"AB_TEST_RATE": "0"}, 1),
            "A/B 1": ({"AB_TEST_RATE": "1"}, 1),
        }
        print(f"{'setting':34}" + "".join(f"{name:>18}" for name in SHOWN))
        for name, (changes, workers) in compared.items():
            with serving(
                settings, model=material.model, accept=material.accept, reject=material.reject,
                workers=workers, changes=changes,
            ) as service:  # fmt: skip
                plan = Plan(requests=requests, connections=16, seconds=120)
                found = Load(service.url, material, plan, pid=service.pid).finish().metrics
            wrong += found["wrong_answers"] + (found["errors"] == 1.0)
            print(f"{name:34}" + "".join(f"{found[each]:18,.4g}" for each in SHOWN), flush=True)
    finally:
        redis.close()
        postgres.close()
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
