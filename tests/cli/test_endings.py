"""How commands end: exit 1 means invalid and nothing else, and what goes wrong takes one line."""

from __future__ import annotations

import ast
import io
import json
import os
import re
import shutil
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
from rich.table import Table
from rich.text import Text

from crisol.cli.console import _Console, creatable, printable
from crisol.cli.endings import Exit, run
from crisol.config import Settings, load_settings
from crisol.errors import CannotCreate, SettingsError, StoreError, redacted
from crisol.tracking.registry import point_to
from support.served import ROOT, model_folder

if TYPE_CHECKING:
    from pathlib import Path

# A verdict that needs no release and no sandbox: text that is no diff.
NO_DIFF = "no diff at all\n"


def crisol(command: str, folder: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run a line of bash in which $CRISOL is the command line."""
    (folder / "p.diff").write_text(NO_DIFF, encoding="utf-8")
    values = os.environ | {"CRISOL": f"{sys.executable} -m crisol", "CRISOL_ROOT": str(ROOT)} | environment
    line = ["bash", "-o", "pipefail", "-c", command]
    return subprocess.run(
        line, cwd=folder, env=values, capture_output=True, text=True, check=False, timeout=120
    )


def test_a_reader_that_has_enough_is_no_error_to_speak_of(tmp_path: Path) -> None:
    """`head` ends the pipe; the exit code says that output is missing, and nothing else does."""
    done = crisol("$CRISOL wargame arena-zip-slip p.diff --json | true", tmp_path)
    assert (done.returncode, done.stderr) == (Exit.OUTPUT, "")


@pytest.mark.parametrize(
    ("command", "code", "words"),
    [
        ("$CRISOL wargame arena-zip-slip - <&-", Exit.NO_INPUT, "standard input is closed"),
        ("$CRISOL triage arena-zip-slip - <&-", Exit.NO_INPUT, "standard input is closed"),
        ("$CRISOL wargame arena-zip-slip gone.diff", Exit.NO_INPUT, "gone.diff: No such file"),
        ("$CRISOL wargame arena-zip-slip p.diff --json > /dev/full", Exit.OUTPUT, "No space left"),
        ("$CRISOL ab plan --margin 0.1 > /dev/full", Exit.OUTPUT, "No space left"),
        ("$CRISOL ab plan --margin 0.1 >&-", Exit.OUTPUT, "standard output is closed"),
        ("REDIS_URL=localhost:6379 $CRISOL doctor", Exit.USAGE, "REDIS_URL: this is no Redis URL"),
        ("REDIS_URL='redis://127.0.0.1:9?db=x' $CRISOL doctor", Exit.USAGE, "Invalid value for 'db'"),
        (
            "REDIS_URL='redis://127.0.0.1:9?no=1' $CRISOL doctor",
            Exit.USAGE,
            "REDIS_URL: the option no is not",
        ),
        ("DATABASE_URL=sqlite:///x.db $CRISOL ab status", Exit.USAGE, "its scheme is 'sqlite'"),
        ("$CRISOL ui --port 999999", Exit.USAGE, ""),
        ("$CRISOL serve --port 999999", Exit.USAGE, ""),
        ("$CRISOL predict p.diff --cwe seventy --model x", Exit.USAGE, "write CWE-79"),
        (
            "$CRISOL triage arena-zip-slip p.diff --report gone/x.html",
            Exit.CANNOT_CREATE,
            "gone/x.html: No such",
        ),
        ("$CRISOL chaos gremlins", Exit.USAGE, "no fault 'gremlins'"),
        ("$CRISOL chaos --expect 'redis_killed: failed'", Exit.USAGE, "failed"),
        ("$CRISOL run p.diff --summary gone/x.xml", Exit.CANNOT_CREATE, "gone/x.xml: No such"),
        ("$CRISOL vulnerability new .", Exit.CANNOT_CREATE, "File exists"),
        ("$CRISOL vulnerability check p.diff", Exit.USAGE, "no vulnerability 'p.diff'"),
        ("$CRISOL init p.diff", Exit.CANNOT_CREATE, "Not a directory"),
        ("$CRISOL corpus export p.diff", Exit.CANNOT_CREATE, "p.diff: File exists"),
        ("$CRISOL corpus build --output .", Exit.CANNOT_CREATE, "Is a directory"),
        (
            "$CRISOL corpus build --only arena-zip-slip --scheduler nowhere",
            Exit.UNAVAILABLE,
            "no Dask scheduler",
        ),
        ("CRISOL_ROOT=. $CRISOL wargame arena-zip-slip p.diff", Exit.USAGE, "there is none at all"),
        ("CRISOL_ROOT=. $CRISOL corpus build", Exit.USAGE, "there is no vulnerability here"),
    ],
)
def test_what_is_no_verdict_never_ends_with_1(command: str, code: int, words: str, tmp_path: Path) -> None:
    done = crisol(command, tmp_path)
    assert done.returncode == code, done.stderr
    assert words in done.stderr
    assert "Traceback" not in done.stderr
    assert not words or len(done.stderr.splitlines()) == 1


@pytest.mark.parametrize(
    ("variable", "url"),
    [
        ("DATABASE_URL", "postgresql+asyncpg://u:s3cret@127.0.0.1:9/db"),
        ("DATABASE_URL", "u:s3cret@127.0.0.1:9/db"),
        ("REDIS_URL", "http://u:s3cret@127.0.0.1:9"),
    ],
)
def test_a_wrong_url_is_refused_without_its_password(variable: str, url: str, tmp_path: Path) -> None:
    done = crisol("$CRISOL ab status", tmp_path, **{variable: url})
    assert done.returncode == Exit.USAGE
    assert variable in done.stderr
    assert "s3cret" not in done.stdout + done.stderr


@pytest.mark.parametrize(
    ("variable", "url"),
    [
        ("DATABASE_URL", "postgresql://u:s3c ret@127.0.0.1:9/db"),
        ("DATABASE_URL", "postgresql://u:s3cret%zz@127.0.0.1:9/db"),
        ("DATABASE_URL", "postgresql://u:s3c/ret@127.0.0.1:9/db"),
        ("DATABASE_URL", "postgresql://u:9/s3cret@127.0.0.1:9/db"),
        ("DATABASE_URL", "postgresql://u:x@s3cret@127.0.0.1:9/db"),
        ("DATABASE_URL", "postgresql://u:x@127.0.0.1:9/db?s3cret=1"),
        ("DATABASE_URL", "host=127.0.0.1 password=x s3cret"),
        ("REDIS_URL", "redis://:s3c#ret@127.0.0.1:9"),
        ("REDIS_URL", "redis://:9?s3cret@127.0.0.1:9"),
        ("REDIS_URL", "redis://:s3cret@[::1"),
        ("REDIS_URL", "redis://:s3cret@127.0.0.1:99999"),
        ("MLFLOW_TRACKING_URI", "http://u:s3c/ret@127.0.0.1:9"),
        ("MLFLOW_TRACKING_URI", "postgresql://u:9/s3cret@127.0.0.1:9/db"),
    ],
)
def test_a_url_that_would_be_read_in_pieces_is_refused_without_them(
    variable: str, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else a driver takes a piece of the password for a host or a port, and says so."""
    monkeypatch.setenv(variable, url)
    with pytest.raises(SettingsError, match=f"{variable}: it cannot be read") as refused:
        _ = load_settings().postgres_dsn
    assert not re.search("s3c|ret@", str(refused.value))


@pytest.mark.parametrize(
    ("command", "variable", "url"),
    [
        ("db status", "DATABASE_URL", "postgresql://u:s3cret@127.0.0.1:9/db"),
        ("doctor", "DATABASE_URL", "postgresql://127.0.0.1:9/db?user=u&password=s3cret"),
        ("doctor", "REDIS_URL", "redis://u:s3cret@127.0.0.1:9/0"),
        ("ui", "MLFLOW_TRACKING_URI", "postgresql://u:s3cret@127.0.0.1:9/db"),
        ("ui", "MLFLOW_TRACKING_URI", "postgresql+asyncpg://u:s3cret@127.0.0.1:9/db"),
    ],
)
def test_a_server_that_does_not_answer_is_named_without_its_password(
    command: str, variable: str, url: str, tmp_path: Path
) -> None:
    """Not even with the traceback that LOG_LEVEL=DEBUG adds."""
    done = crisol(f"$CRISOL {command}", tmp_path, **{variable: url}, LOG_LEVEL="DEBUG")
    assert done.returncode in {Exit.VALID, Exit.UNAVAILABLE}, done.stderr
    assert "s3cret" not in done.stdout + done.stderr
    assert "a fault of Crisol's own" not in done.stderr


def test_passwords_are_cut_out_of_every_message() -> None:
    for text in (
        "postgresql://me:s3cret@h/db redis://:s3cret@h host=h password='s3cret' user=u",
        "http://me:s/s3cret@h:1/db",
        "{'password': 's3cret', \"password\": \"s3cret x\"}",
    ):
        assert "s3cret" not in redacted(text)
    assert redacted("see https://example.org/a@b") == "see https://example.org/a@b"
    assert redacted("see https://example.org:80/a@b") == "see https://example.org:80/a@b"
    assert "s3cret" not in str(StoreError("no answer from redis://:s3cret@h"))


def test_text_of_a_stranger_moves_no_cursor() -> None:
    """Escape sequences, C1 controls and bidirectional marks are shown by number; lines and words stay."""
    assert printable("é\tb\n\x1b]0;x\x07\x9b31m\u202e\ud800") == "é\tb\n\\x1b]0;x\\x07\\x9b31m\\u202e\\ud800"


def test_nothing_that_is_printed_is_markup_or_moves_the_cursor() -> None:
    """Not in a line, nor in the cell of a table, nor in a text with a style."""
    console = _Console()
    console.file = io.StringIO()
    table = Table("[/red]", box=None)
    table.add_row("a\x1b[31m[/nope]\x9bb")
    table.add_row(Text("c\u202e", "red"))
    console.print(table)
    console.print("d\x1b]0;x\x07 [bold]:smile:")
    shown = console.file.getvalue()
    assert printable(shown) == shown
    for words in ("[/red]", "a\\x1b[31m[/nope]\\x9bb", "c\\u202e", "d\\x1b]0;x", "[bold]:smile:"):
        assert words in shown


def test_predicting_writes_nothing(tmp_path: Path) -> None:
    """In a checkout, and on a machine, that can be read alone."""
    if shutil.which("bwrap") is None:
        pytest.skip("bubblewrap is not installed")
    settings = Settings(root=tmp_path)
    settings.runs.mkdir()
    point_to(settings, model_folder(), "1")
    wish = "bwrap --ro-bind / / --dev /dev $CRISOL predict $EXAMPLE --cwe 22 --json"
    example = str(ROOT / "data" / "examples" / "right.diff")
    done = crisol(wish, tmp_path, CRISOL_ROOT=str(tmp_path), EXAMPLE=example)
    if "Creating new namespace failed" in done.stderr:
        pytest.skip(done.stderr)
    assert 0.0 <= json.loads(done.stdout)["probability"] <= 1.0, done.stderr


def test_a_full_disk_is_named_with_its_folder(tmp_path: Path) -> None:
    """No file may grow here, as on a full disk."""
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "vulnerabilities").symlink_to(ROOT / "data" / "vulnerabilities")
    patch = ROOT / "data" / "examples" / "right.diff"
    wish = f"ulimit -f 0; $CRISOL corpus import {patch} --vulnerability arena-zip-slip"
    done = crisol(wish, tmp_path, CRISOL_ROOT=str(tmp_path))
    assert done.returncode == Exit.UNAVAILABLE, done.stderr
    assert f"{tmp_path / 'data' / 'candidates'} cannot be written: File too large" in done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert not list((tmp_path / "data" / "candidates").glob("*.part"))


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (StoreError("gone"), Exit.UNAVAILABLE),
        (FileNotFoundError(2, "No such file", "x"), Exit.NO_INPUT),
        (PermissionError(13, "Permission denied", "x"), Exit.CANNOT_CREATE),
        (OSError(28, "No space left on device"), Exit.OUTPUT),
        (KeyboardInterrupt(), Exit.INTERRUPTED),
        (ZeroDivisionError("division by zero"), Exit.INTERNAL),
    ],
)
def test_every_failure_has_its_code(error: BaseException, code: int) -> None:
    def command() -> None:
        raise error

    descriptor = os.dup(1)
    try:
        assert run(command) == code
    finally:
        os.dup2(descriptor, 1)
        os.close(descriptor)


def test_an_ascii_locale_changes_nothing(tmp_path: Path) -> None:
    """Files of the project are UTF-8 whatever the locale is."""
    locale = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
    done = crisol("$CRISOL wargame arena-zip-slip p.diff", tmp_path, **locale)
    assert done.returncode == Exit.NOT_JUDGED, done.stderr
    assert "malformed" in done.stdout


def test_no_text_is_read_or_written_in_the_encoding_of_the_locale() -> None:
    missing = []
    for path in sorted((ROOT / "src").rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Attribute):
                continue
            needed = {"read_text": 1, "write_text": 2}.get(node.func.attr)
            named = any(keyword.arg == "encoding" for keyword in node.keywords)
            if needed is not None and not named and len(node.args) < needed:
                missing.append(f"{path.relative_to(ROOT)}:{node.lineno}")
    assert not missing


@pytest.mark.parametrize(
    ("module", "extra"),
    [
        ("mlflow.store", "lab"),
        ("fastapi", "service"),
        ("prometheus_client", "service"),
        ("distributed", "scale"),
    ],
)
def test_a_module_of_an_extra_is_named_with_what_brings_it(
    module: str, extra: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Pip install crisol alone wargames and predicts; other commands say what they lack."""

    def command() -> None:
        raise ModuleNotFoundError(f"No module named {module!r}", name=module)

    assert run(command) == 69
    assert f"install Crisol's extra {extra}" in capsys.readouterr().err


def test_a_check_that_a_file_can_be_written_leaves_all_as_it_was(tmp_path: Path) -> None:
    """A symbolic link to a file that does not exist stays one."""
    link, target = tmp_path / "link", tmp_path / "target"
    link.symlink_to(target)
    assert creatable(link) == link
    assert link.is_symlink()
    assert not target.exists()


def test_a_name_that_is_too_long_cannot_be_created(tmp_path: Path) -> None:
    with pytest.raises(CannotCreate, match="name too long"):
        creatable(tmp_path / ("x" * 300))
