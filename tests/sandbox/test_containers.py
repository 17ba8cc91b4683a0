"""What stands in deploy/ for container engines.

Linted by their own linters, and its seccomp profile loaded for real.
"""

from __future__ import annotations

import ctypes.util
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from crisol.errors import SandboxUnavailable
from crisol.sandbox import choose
from support.oci import bundle
from support.served import ROOT

pytestmark = pytest.mark.integration
DEPLOY = ROOT / "deploy"
PROFILE = DEPLOY / "seccomp.json"
SELF_CHECK = """
import sys
from crisol.sandbox import choose
from crisol.sandbox.selfcheck import escapes
kind = choose(sys.argv[1]).kind
print(kind, *escapes(kind), sep=", ")
"""


def lint(*command: str | Path) -> None:
    """Run a linter of this environment; what it finds is the failure."""
    program = Path(sys.executable).with_name(str(command[0]))
    done = subprocess.run([program, *command[1:]], capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stdout + done.stderr


def test_hadolint_finds_nothing_in_the_dockerfile() -> None:
    if not Path(sys.executable).with_name("hadolint").exists():
        pytest.skip("hadolint has no wheel for this platform")
    lint("hadolint", "--failure-threshold", "style", DEPLOY / "Dockerfile")


def test_the_composition_follows_the_schema_of_compose() -> None:
    """The schema comes with the checker; nothing is downloaded."""
    lint("check-jsonschema", "--builtin-schema", "vendor.compose-spec", DEPLOY / "compose.yaml")


def test_the_files_for_containers_are_whole() -> None:
    """What they copy and mount exists, nobody runs as root, and nothing is published beyond this machine."""
    docker = (DEPLOY / "Dockerfile").read_text()
    copied = re.findall(r"^COPY (?!--from)(?:--\S+ )?(.+) \S+$", docker, re.MULTILINE)
    for name in " ".join(copied).split():
        assert (ROOT / name).exists(), name
    assert re.search(r"^USER 10001$", docker, re.MULTILINE)
    services = yaml.safe_load((DEPLOY / "compose.yaml").read_text())["services"]
    assert set(services) == {"crisol", "redis", "postgres", "prometheus", "grafana", "mlflow"}
    for name, service in services.items():
        for mount in service.get("volumes", []):
            source = mount.split(":")[0]
            assert not source.startswith(".") or (DEPLOY / source).exists(), (name, source)
        assert all(port.startswith("127.0.0.1:") for port in service.get("ports", [])), name
    assert "seccomp=./seccomp.json" in services["crisol"]["security_opt"]
    assert services["crisol"]["cap_drop"] == ["ALL"]


@pytest.mark.parametrize("kind", ["bubblewrap", "namespaces"])
def test_under_the_seccomp_profile_wargames_have_a_sandbox(kind: str) -> None:
    """Loaded by libseccomp, as engines do it.

    What it names is refused, and the sandbox still refuses every escape.
    """
    available(kind)
    if ctypes.util.find_library("seccomp") is None:
        pytest.skip("libseccomp is not installed (Debian: libseccomp2)")
    done = subprocess.run(
        [sys.executable, ROOT / "tests" / "support" / "confined.py", PROFILE, sys.executable, "-c",
        SELF_CHECK, kind],
        capture_output=True, text=True, check=False, timeout=120,
    )  # fmt: skip
    if done.stderr.startswith("no user namespaces"):
        pytest.skip(done.stderr)
    assert (done.returncode, done.stdout) == (0, f"{kind}\n"), done.stdout + done.stderr


@pytest.mark.parametrize("kind", ["bubblewrap", "namespaces"])
def test_in_a_container_wargames_have_a_sandbox(tmp_path: Path, kind: str) -> None:
    """Made by runc with what the composition asks for.

    No capability, no new privileges, the profile, a masked /proc.
    """
    available(kind)
    if os.getuid() != 0 or shutil.which("runc") is None:
        pytest.skip("runc is not installed (Debian: runc), or this is not root")
    bundle(tmp_path, PROFILE, (ROOT,), [sys.executable, "-c", SELF_CHECK, kind])
    done = subprocess.run(
        ["runc", f"--root={tmp_path / 'state'}", "run", f"--bundle={tmp_path}",
        f"crisol-{os.getpid()}-{kind}"],
        stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False, timeout=120,
    )  # fmt: skip
    assert (done.returncode, done.stdout) == (0, f"{kind}\n"), done.stdout + done.stderr


def available(kind: str) -> None:
    try:
        choose(kind)
    except SandboxUnavailable as error:
        pytest.skip(str(error))


def test_the_script_of_the_images_steps_knows_every_step() -> None:
    """deploy/steps.sh does by hand what the Dockerfile says, for machines without a container engine."""
    done = subprocess.run(
        ["bash", DEPLOY / "steps.sh", "--list"], capture_output=True, text=True, check=False, timeout=30
    )
    assert done.returncode == 0, done.stderr
    docker = (DEPLOY / "Dockerfile").read_text().replace("\\\n", "")
    steps = re.findall(r"^(?:COPY|RUN) ", docker, re.MULTILINE)
    assert len(done.stdout.splitlines()) == len(steps)
    skipped = [line for line in done.stdout.splitlines() if line.startswith("skip")]
    assert all("apt-get" in line for line in skipped)
