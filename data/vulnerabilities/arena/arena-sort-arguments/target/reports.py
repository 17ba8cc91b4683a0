"""Reports over line-based text files."""

import os
import subprocess
from dataclasses import dataclass

ENVIRONMENT = {"LC_ALL": "C", "PATH": os.defpath}
TIMEOUT_SECONDS = 20
MAX_FILES = 20


class ReportError(Exception):
    """A report that cannot be made."""


@dataclass(frozen=True)
class Report:
    """The distinct lines of some files in order, and how many lines each file has."""

    lines: tuple
    counts: dict


def run(arguments):
    """Run a program without a shell and return its output."""
    try:
        done = subprocess.run(
            arguments,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            env=ENVIRONMENT,
            timeout=TIMEOUT_SECONDS,
            check=True,
        )
    except subprocess.CalledProcessError as error:
        raise ReportError(error.stderr.decode("utf-8", "replace").strip()) from None
    return done.stdout.decode("utf-8", "replace")


def sorted_lines(names, reverse=False):
    """Return the distinct lines of the files in byte order."""
    options = ["-u", "-r"] if reverse else ["-u"]
    return tuple(run(["sort", *options, *names]).splitlines())


def count_lines(name):
    """Return how many lines the file has."""
    return int(run(["wc", "-l", name]).split()[0])


def report(names, reverse=False):
    """Return the report over the files of these names."""
    if not names or len(names) > MAX_FILES:
        raise ReportError(f"a report takes 1 to {MAX_FILES} files")
    lines = sorted_lines(names, reverse)
    return Report(lines, {name: count_lines(name) for name in names})
