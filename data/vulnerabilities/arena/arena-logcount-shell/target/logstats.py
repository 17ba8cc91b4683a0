"""Figures about log files for the support desk."""

import subprocess
from dataclasses import dataclass
from pathlib import Path

TIMEOUT_SECONDS = 20


class LogError(Exception):
    """A log that cannot be read."""


@dataclass(frozen=True)
class Summary:
    """How often each text occurs in a log, and the newest lines of it."""

    log: str
    counts: dict
    newest: tuple


def run(command):
    """Run a command and return its output and exit code."""
    done = subprocess.run(
        command, shell=True, capture_output=True, text=True, timeout=TIMEOUT_SECONDS, check=False
    )
    return done.stdout, done.returncode


def count_lines(log, text):
    """Return how many lines of the log contain the text."""
    output, code = run(f'grep -c -F -e "{text}" -- "{log}"')
    if code > 1:
        raise LogError(f"cannot search {log}")
    return int(output)


def newest_lines(log, amount=5):
    """Return the last lines of the log."""
    output, code = run(f"tail -n {int(amount)} -- {log}")
    if code:
        raise LogError(f"cannot read {log}")
    return tuple(output.splitlines())


def summarise(folder, name, texts, amount=5):
    """Return the figures of the log of that name in the folder."""
    log = Path(folder) / name
    counts = {text: count_lines(log, text) for text in texts}
    return Summary(name, counts, newest_lines(log, amount))
