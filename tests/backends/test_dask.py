"""A Dask cluster gives the same corpus as local processes, and a killed build goes on where it stopped."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from crisol.errors import UnavailableError
from crisol.wargaming.corpus import Plan, build, content_hash
from crisol.wargaming.vulnerability import find
from crisol.wiring import open_workers

distributed = pytest.importorskip("distributed")
ROOT = Path(__file__).parents[2] / "data" / "vulnerabilities"
ONLY = ["arena-order-sql", "arena-request-framing"]


@pytest.mark.integration
def test_one_job_two_jobs_and_dask_agree(tmp_path: Path) -> None:
    """The labels do not depend on who executes them, nor on how many do."""
    vulnerabilities = find(ROOT, only=ONLY)

    def hashes(name: str, **how: object) -> dict[str, str]:
        plan = Plan(tmp_path / name, tmp_path / "inbox", mutants=2)
        shards = build(vulnerabilities, plan, **how)  # type: ignore[arg-type]  # jobs or executor
        return {shard.vulnerability: content_hash(shard.rows) for shard in shards}

    with (
        distributed.LocalCluster(
            n_workers=2,
            threads_per_worker=1,
            processes=True,
            dashboard_address=None,
            local_directory=str(tmp_path / "dask"),
        ) as cluster,
        open_workers(cluster.scheduler_address) as executor,
    ):
        by_dask = hashes("dask-cache", executor=executor)
    assert sorted(by_dask) == ONLY
    assert by_dask == hashes("one", jobs=1) == hashes("two", jobs=2)


def test_a_dead_scheduler_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody at the address is our trouble, in one sentence with the address."""
    monkeypatch.setattr("crisol.backends.dask._CONNECT_SECONDS", 0.2)
    with pytest.raises(UnavailableError, match=r"127\.0\.0\.1:9"), open_workers("tcp://127.0.0.1:9"):
        pass


BUILD = """
import sys
from pathlib import Path
from crisol.wargaming.corpus import Plan, build
from crisol.wargaming.vulnerability import find
if __name__ == "__main__":
    plan = Plan(Path(sys.argv[2]), Path(sys.argv[2]) / "inbox", mutants=0)
    list(build(find(Path(sys.argv[1]), only=sys.argv[3:]), plan, jobs=1))
"""


@pytest.mark.integration
def test_a_build_that_was_killed_goes_on_where_it_stopped(tmp_path: Path) -> None:
    """Killed after its first shard.

    That one is kept as it is, the other is made, nothing is lost or doubled.
    """
    script, cache = tmp_path / "build.py", tmp_path / "cache"
    script.write_text(BUILD)
    command = [sys.executable, str(script), str(ROOT), str(cache), *ONLY]
    with subprocess.Popen(command, start_new_session=True) as process:
        deadline = time.monotonic() + 120
        while not (done := sorted(cache.glob("judged/*.parquet"))) and time.monotonic() < deadline:
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(0.05)
        os.killpg(process.pid, signal.SIGKILL)
    assert done
    stamps = {path: path.stat().st_mtime_ns for path in done}
    plan = Plan(cache, cache / "inbox", mutants=0)
    resumed = {shard.vulnerability: shard for shard in build(find(ROOT, only=ONLY), plan, jobs=1)}
    assert {path: path.stat().st_mtime_ns for path in done} == stamps
    fresh = Plan(tmp_path / "fresh", tmp_path / "fresh" / "inbox", mutants=0)
    whole = {
        shard.vulnerability: content_hash(shard.rows) for shard in build(find(ROOT, only=ONLY), fresh, jobs=2)
    }
    assert {name: content_hash(shard.rows) for name, shard in resumed.items()} == whole
    assert all(shard.rows["id"].is_unique for shard in resumed.values())
