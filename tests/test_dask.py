"""A Dask cluster gives the same corpus as processes of one's own."""

from __future__ import annotations

from pathlib import Path

import pytest

from crisol.errors import UnavailableError
from crisol.wargame.corpus import Plan, build, content_hash
from crisol.wargame.vulnerability import find
from crisol.wiring import open_workers

distributed = pytest.importorskip("distributed")
ROOT = Path(__file__).parents[1] / "data" / "vulnerabilities"
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
