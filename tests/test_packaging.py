"""The wheel, installed into an empty environment, works outside a checkout."""

from __future__ import annotations

import functools
import json
import os
import re
import shutil
import subprocess
import sys
import tomllib
import urllib.request
import zipfile
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[1]


def run(*command: str | Path, cwd: Path, code: int = 0) -> str:
    """Run a program with nothing of this checkout in its environment; return what it printed."""
    own = {"CRISOL_ROOT", "PYTHONPATH", "VIRTUAL_ENV", "PYENV_VERSION"}
    environment = {name: value for name, value in os.environ.items() if name not in own}
    done = subprocess.run(
        [str(word) for word in command],
        cwd=cwd, env=environment, capture_output=True, text=True, check=False, timeout=800,
    )  # fmt: skip
    assert done.returncode == code, f"{command}: {done.stdout}\n{done.stderr}"
    return done.stdout


@functools.cache
def uv() -> list[str]:
    program = shutil.which(
        "uv", path=f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}"
    )
    if program is None:
        pytest.skip("there is no uv; make setup installs it")
    return [program]


def index() -> list[str]:
    """Return the options of the index that pip is configured for, as the Makefile does."""
    asked = [sys.executable, "-m", "pip", "config", "get", "global.index-url"]
    told = subprocess.run(asked, capture_output=True, text=True, check=False)
    return ["--default-index", told.stdout.strip()] if told.returncode == 0 and told.stdout.strip() else []


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("dist")
    constraints = ["--build-constraint", ROOT / "deploy" / "build.lock"]
    run(
        *uv(),
        "build",
        "--wheel",
        "--quiet",
        "--system-certs",
        *index(),
        *constraints,
        "-o",
        folder,
        ROOT,
        cwd=folder,
    )
    (path,) = folder.glob("*.whl")
    return path


@pytest.mark.integration
def test_the_wheel_is_pure_and_carries_a_workspace(wheel: Path) -> None:
    assert wheel.name.endswith("-py3-none-any.whl")
    names = {name.removeprefix("crisol/") for name in zipfile.ZipFile(wheel).namelist()}
    for path in (
        "workspace/experiments/variants.yaml",
        "workspace/notebooks/01_ground_truth.ipynb",
        "workspace/data/examples/patches.jsonl",
        "workspace/data/vulnerabilities/arena/arena-zip-slip/vulnerability.toml",
        "backends/migrations/0001_trials.duckdb.sql",
        "py.typed",
    ):
        assert path in names
    assert not [name for name in names if "__pycache__" in name or "cache/" in name]
    assert wheel.stat().st_size < 8 << 20


def interpreter(version: str) -> str:
    """Return a Python of that version: one on the path, or one of pyenv; skip without any."""
    pyenv = (Path.home() / ".pyenv" / "versions").glob(f"{version}.*/bin/python3")
    for program in (shutil.which(f"python{version}"), *pyenv):
        # What pyenv lays on the path may stand for a version that it does not have.
        if program and subprocess.run([program, "-c", ""], capture_output=True, check=False).returncode == 0:
            return str(program)
    pytest.skip(f"there is no Python {version}")


def installed(wheel: str, python: str, folder: Path) -> Path:
    """Install the wheel into an empty environment, and make a workspace below; return where programs are."""
    programs = folder / "venv" / "bin"
    run(*uv(), "venv", "--quiet", "--python", python, programs.parent, cwd=folder)
    # The lock is resolved for every version from 3.11 on; the cache of uv serves what it has.
    run(
        *uv(), "pip", "install", "--quiet", "--system-certs", *index(), "--python", programs / "python",
        "--constraint", ROOT / "requirements.lock", wheel,
        cwd=folder,
    )  # fmt: skip
    assert "new files" in run(programs / "crisol", "init", "bench", cwd=folder)
    return programs


def wargames(crisol: Path, bench: Path) -> None:
    examples = bench / "data" / "examples"
    wish = ["wargame", "arena-zip-slip", "--json"]
    assert json.loads(run(crisol, *wish, examples / "right.diff", cwd=bench))["outcome"] == "valid"
    # From a folder below as well: the workspace is found upwards.
    assert json.loads(run(crisol, *wish, "wrong.diff", cwd=examples, code=1))["reason"] == "variant_survives"


@pytest.mark.integration
@pytest.mark.timeout(1800)
def test_an_installed_crisol_works_outside_a_checkout(wheel: Path, tmp_path: Path) -> None:
    """Wargame, evaluate, run and serve in a workspace that ``crisol init`` made."""
    crisol, bench = installed(f"{wheel}[lab]", sys.executable, tmp_path) / "crisol", tmp_path / "bench"
    wargames(crisol, bench)
    evaluated = run(
        crisol, "evaluate", "--data", "data/examples/patches.jsonl", "--group", "vulnerability",
        "--variant", "classic_forest", "--folds", "2", "--no-search", "--json", cwd=bench,
    )  # fmt: skip
    assert json.loads(evaluated)["variants"][0]["variant"] == "classic_forest"
    told = json.loads(run(crisol, "run", "experiments/ground_truth.yaml", "--json", cwd=bench))
    assert Path(told["notebook"]).is_relative_to(bench / "mlruns")
    assert _health(crisol, bench) == {"status": "alive"}


@pytest.mark.integration
@pytest.mark.timeout(900)
@pytest.mark.parametrize("version", ["3.12", "3.13"])
def test_a_newer_python_wargames_and_evaluates(version: str, wheel: Path, tmp_path: Path) -> None:
    """With the smallest installation: no service, no notebooks."""
    programs, bench = installed(str(wheel), interpreter(version), tmp_path), tmp_path / "bench"
    wargames(programs / "crisol", bench)
    script = (
        "import crisol; patches = crisol.read_patches('data/examples/patches.jsonl'); "
        "print(crisol.evaluate(patches, 'classic_forest', folds=2).n == len(patches))"
    )
    assert run(programs / "python", "-c", script, cwd=bench).strip() == "True"


def _health(crisol: Path, bench: Path) -> dict[str, object]:
    environment = {
        name: value for name, value in os.environ.items() if name not in {"CRISOL_ROOT", "PYTHONPATH"}
    }
    command = [str(crisol), "serve", "--port", "0"]
    with subprocess.Popen(command, cwd=bench, env=environment, stderr=subprocess.PIPE, text=True) as served:
        try:
            assert served.stderr is not None
            lines = iter(served.stderr.readline, "")
            address = next(found[0] for line in lines if (found := re.search(r"http://\S+", line)))
            opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
            with opener.open(f"{address}/health", timeout=60) as answer:
                document: dict[str, object] = json.load(answer)
                return document
        finally:
            served.terminate()
            served.communicate(timeout=60)


def test_the_citation_says_the_version_and_the_licence_of_the_package() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    cited = yaml.safe_load((ROOT / "CITATION.cff").read_text())
    assert (cited["version"], cited["license"]) == (project["version"], project["license"])
    assert cited["cff-version"] == "1.2.0"
    assert cited["authors"]


def test_every_issue_form_is_one_that_a_forge_reads() -> None:
    forms = sorted((ROOT / ".github" / "ISSUE_TEMPLATE").glob("*.yml"))
    assert len(forms) > 2
    for form in forms:
        content = yaml.safe_load(form.read_text())
        if form.stem == "config":
            continue
        assert {"name", "description", "body"} <= content.keys(), form
        assert all(part["type"] == "markdown" or part["id"] for part in content["body"])
