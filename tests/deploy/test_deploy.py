"""What stands in deploy/ fits the service: every expression has data, every alert fires when it should."""

from __future__ import annotations

import json
import re
import shutil
import socket
import subprocess
import time
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote
from urllib.request import urlopen

import pytest
import yaml

from crisol.config import Settings
from crisol.metrics import FAMILIES
from crisol.service.embedded import serve
from support.http import ask
from support.served import FLAW, ROOT, model_folder, right, wrong

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.integration
DEPLOY = ROOT / "deploy"
TRACE = "0af7651916cd43dd8448eb211c80319c"


def panels() -> list[dict[str, Any]]:
    """Return the panels of the dashboard."""
    return list(json.loads((DEPLOY / "grafana" / "dashboards" / "crisol.json").read_text())["panels"])


def expressions() -> dict[str, str]:
    """Return every expression of dashboard and rules, by where it stands."""
    expressions = {}
    for panel in panels():
        for target in panel["targets"]:
            expressions[f"panel {panel['title']} {target['refId']}"] = target["expr"]
    for group in yaml.safe_load((DEPLOY / "rules.yml").read_text())["groups"]:
        for rule in group["rules"]:
            # An alert's expression has data only while it fires: what it compares must have data always.
            expressions[rule.get("record") or rule["alert"]] = re.split(r" (?:[<>]|==) ", rule["expr"])[0]
    return expressions


def test_the_dashboard_is_laid_out_and_finds_its_data_source() -> None:
    """No panel covers another, each has a name, a unit and a source that is provisioned.

    Grafana finds the file itself.
    """
    provisioning = DEPLOY / "grafana" / "provisioning"
    sources = yaml.safe_load((provisioning / "datasources" / "prometheus.yaml").read_text())["datasources"]
    provisioned = {(source["type"], source["uid"]) for source in sources}
    taken: set[tuple[int, int]] = set()
    for panel in panels():
        place = panel["gridPos"]
        cells = {
            (x, y)
            for x in range(place["x"], place["x"] + place["w"])
            for y in range(place["y"], place["y"] + place["h"])
        }
        assert not cells & taken, panel["title"]
        assert max(x for x, _ in cells) < 24, panel["title"]
        taken |= cells
        assert (panel["datasource"]["type"], panel["datasource"]["uid"]) in provisioned
        assert panel["fieldConfig"]["defaults"]["unit"]
        if panel["type"] == "table":
            assert all(target["format"] == "table" for target in panel["targets"])
    for name in ("id", "title"):
        assert len({panel[name] for panel in panels()}) == len(panels())
    (provider,) = yaml.safe_load((provisioning / "dashboards" / "crisol.yaml").read_text())["providers"]
    services = yaml.safe_load((DEPLOY / "compose.yaml").read_text())["services"]
    mounted = dict(mount.split(":")[:2] for mount in services["grafana"]["volumes"])
    assert mounted["./grafana/dashboards"] == provider["options"]["path"]
    assert mounted["./grafana/provisioning"] == "/etc/grafana/provisioning"
    assert {source["url"] for source in sources} == {"http://prometheus:9090"}
    (job,) = yaml.safe_load((DEPLOY / "prometheus.yml").read_text())["scrape_configs"]
    assert job["static_configs"] == [{"targets": ["crisol:8026"]}]


def test_no_expression_names_a_metric_that_is_none() -> None:
    names = set(re.findall(r"wargaming_\w+", " ".join(expressions().values())))
    bare = {re.sub(r"_(bucket|count|sum)$", "", name) if name not in FAMILIES else name for name in names}
    assert bare <= set(FAMILIES)


def test_every_service_of_the_composition_is_limited_and_asks_for_its_secrets() -> None:
    """Memory, processes and processor have a limit.

    No secret has a default; every image is named by its digest.
    """
    text = (DEPLOY / "compose.yaml").read_text()
    services = yaml.safe_load(text)["services"]
    for name, service in services.items():
        assert {"mem_limit", "pids_limit", "cpus"} <= service.keys(), name
        image = service.get("image") or service["build"]["args"]["BASE"]
        assert re.fullmatch(r"\$\{[A-Z]+_IMAGE:-[\w./-]+:[\w.-]+@sha256:[0-9a-f]{64}\}", image), name
        assert all(port.startswith("127.0.0.1:") for port in service.get("ports", [])), name
    secrets = set(re.findall(r"\$\{(\w*(?:PASSWORD|TOKEN|KEY))[^}]*\}", text))
    assert secrets == set(re.findall(r"\$\{(\w+):\?", text))
    assert {"REDIS_PASSWORD", "MLFLOW_PASSWORD", "MLFLOW_SECRET_KEY"} <= secrets
    assert "--requirepass" in services["redis"]["command"]
    base = services["crisol"]["build"]["args"]["BASE"].partition(":-")[2].rstrip("}")
    assert f"ARG BASE={base}\n" in (DEPLOY / "Dockerfile").read_text()
    assert services["mlflow"]["entrypoint"][:4] == ["mlflow", "server", "--app-name", "basic-auth"]


def test_the_build_back_end_is_pinned_by_hash_wherever_crisol_is_built() -> None:
    lines = (DEPLOY / "build.lock").read_text().splitlines()
    pinned = {line.partition("==")[0] for line in lines if "==" in line}
    assert {"hatchling", "editables", "uv"} <= pinned
    assert all(follower.strip().startswith("--hash=") for line, follower in pairwise(lines) if "==" in line)
    for name in ("Makefile", "deploy/Dockerfile"):
        text = (ROOT / name).read_text()
        assert "--require-hashes" in text, name
        assert "--build-constraint" in text, name


@pytest.mark.skipif(shutil.which("promtool") is None, reason="promtool is not installed (Debian: prometheus)")
def test_every_alert_fires_when_it_should_and_none_on_a_good_day() -> None:
    done = subprocess.run(
        ["promtool", "test", "rules", "rules_test.yml"],
        cwd=DEPLOY,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    for kind, name in (("rules", "rules.yml"), ("config", "prometheus.yml")):
        checked = subprocess.run(
            ["promtool", "check", kind, name], cwd=DEPLOY, capture_output=True, text=True, check=False
        )
        assert checked.returncode == 0, checked.stdout + checked.stderr
    alerts = re.findall(r"alert: (\w+)", (DEPLOY / "rules.yml").read_text())
    tested = re.findall(r"alertname: (\w+)", (DEPLOY / "rules_test.yml").read_text())
    assert set(alerts) == set(tested)


@pytest.fixture
def prometheus(tmp_path: Path) -> Iterator[tuple[Any, str]]:
    """Give a service with traffic, and the URL of a real Prometheus that scrapes it every second."""
    if shutil.which("prometheus") is None:
        pytest.skip("prometheus is not installed (Debian: prometheus)")
    (tmp_path / "data").symlink_to(ROOT / "data")
    settings = Settings(
        root=tmp_path,
        port=0,
        model=model_folder(),
        rate_limits="ml-first=1000/1",
        wargames=1,
    )
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    with serve(settings) as server:
        config = tmp_path / "prometheus.yml"
        config.write_text(
            json.dumps(
                {
                    "global": {"scrape_interval": "1s", "evaluation_interval": "1s"},
                    "rule_files": [str(tmp_path / "rules.yml")],
                    "scrape_configs": [
                        {"job_name": "crisol", "static_configs": [{"targets": [f"127.0.0.1:{server.port}"]}]}
                    ],
                }
            )
        )
        (tmp_path / "rules.yml").write_text(
            (DEPLOY / "rules.yml").read_text().replace("interval: 10s", "interval: 1s")
        )
        with (tmp_path / "log").open("wb") as log:
            process = subprocess.Popen(
                ["prometheus", f"--config.file={config}", f"--storage.tsdb.path={tmp_path / 'tsdb'}",
                    f"--web.listen-address=127.0.0.1:{port}", "--enable-feature=exemplar-storage"],
                stdout=log, stderr=log,
            )  # fmt: skip
        try:
            yield server, f"http://127.0.0.1:{port}"
        finally:
            process.terminate()
            process.wait(30)


def query(url: str, expression: str) -> list[Any]:
    """Return what a Prometheus knows of an expression now."""
    with urlopen(f"{url}/api/v1/query?query={quote(expression)}", timeout=10) as answer:
        return list(json.load(answer)["data"]["result"])


def exemplars(url: str, deadline: float) -> set[str]:
    """Return the traces that Prometheus names beside latencies, as soon as it names one."""
    query = (
        f"{url}/api/v1/query_exemplars?query=wargaming_request_latency_seconds_bucket&start=0"
        f"&end={time.time() + 60}"
    )
    while True:
        with urlopen(query, timeout=10) as answer:
            series = json.load(answer)["data"]
        trace_ids = {exemplar["labels"]["trace_id"] for entry in series for exemplar in entry["exemplars"]}
        if trace_ids or time.monotonic() > deadline:
            return trace_ids
        time.sleep(0.2)


def test_every_expression_of_dashboard_and_alerts_returns_data(prometheus: tuple[Any, str]) -> None:
    """From a real Prometheus against the running service, after traffic of each kind.

    Latencies name their traces.
    """
    server, url = prometheus
    deadline = time.monotonic() + 90
    missing = expressions()
    number = 0
    while missing:
        for text in (wrong(number), right(), wrong()):
            wish = {"diff": text, "vulnerability": FLAW}
            ask(
                server,
                "POST",
                "/wargaming/ml-first",
                wish,
                {"traceparent": f"00-{TRACE}-b7ad6b7169203331-01"},
            )
        number += 1
        try:
            missing = {
                where: expression for where, expression in missing.items() if not query(url, expression)
            }
        except OSError:
            time.sleep(0.2)
        assert time.monotonic() < deadline, missing
        time.sleep(0.2)
    assert exemplars(url, deadline) == {TRACE}
    for panel in panels():
        for target in panel["targets"]:
            labels = set(re.findall(r"\{\{(\w+)\}\}", target["legendFormat"]))
            assert labels <= set().union(*(sample["metric"] for sample in query(url, target["expr"]))), panel[
                "title"
            ]
