"""Measure the intake: hand-cut patches are put back into the forms of their repositories, and fitted.

    python experiments/bench/measure_intake.py PATCHES.jsonl.gz

Every line is a JSON object with ``vulnerability`` (an id of the corpus), ``name`` and ``diff``. A patch that
fits its release as it was cut must fit it in every form, and make the same files of it. Nothing is executed;
releases that are not cached are left out. With ``--judge distro,upstream-cve`` the script wargames the
patches whose names begin so, in the form of their repository.
"""

from __future__ import annotations

import argparse
import gzip
import json
import quopri
import textwrap
from collections import Counter
from collections.abc import Callable
from pathlib import Path

from crisol import diff
from crisol.config import load_settings
from crisol.errors import CrisolError
from crisol.sandbox import choose
from crisol.wargaming.candidates import read_source
from crisol.wargaming.fitting import fitted
from crisol.wargaming.referee import open_match
from crisol.wargaming.vulnerability import find

TESTS = """diff --git a/tests/test_fix.py b/tests/test_fix.py
index 1111111..2222222 100644
--- a/tests/test_fix.py
+++ b/tests/test_fix.py
@@ -3,3 +3,6 @@ import pytest

 def test_nothing():
     pass
+
+def test_fix():
+    assert True
"""
CHANGES = """diff --git a/CHANGES.rst b/CHANGES.rst
--- a/CHANGES.rst
+++ b/CHANGES.rst
@@ -1,3 +1,5 @@
 Changes
 =======

+- Fix the flaw.
+
"""
MAIL = """From 0123456789abcdef0123456789abcdef01234567 Mon Sep 17 00:00:00 2001
From: =?UTF-8?q?Jos=C3=A9?= <j@example.org>
Date: Fri, 2 Jan 2026 03:04:05 +0000
Subject: [PATCH] Fix the flaw
{headers}
A list of what was done:
- first
- second
---
 tests/test_fix.py | 3 +++
 1 file changed, 3 insertions(+)

"""
QUOTED = (
    "MIME-Version: 1.0\n"
    "Content-Type: text/plain; charset=UTF-8\n"
    "Content-Transfer-Encoding: quoted-printable\n"
)


def below(prefix: str, text: str) -> str:
    """Put a folder before every path of a diff that git wrote."""
    out = []
    for line in text.split("\n"):
        if line.startswith("diff --git a/"):
            a, _, b = line[len("diff --git a/") :].partition(" b/")
            line = f"diff --git a/{prefix}{a} b/{prefix}{b}"  # noqa: PLW2901 - the line as it is below the folder
        elif line.startswith(("--- a/", "+++ b/")):
            line = f"{line[:6]}{prefix}{line[6:]}"  # noqa: PLW2901 - likewise
        out.append(line)
    return "\n".join(out)


def renamed(old: str, new: str, text: str) -> str:
    """Exchange the prefixes a/ and b/."""
    out = []
    for line in text.split("\n"):
        if line.startswith("diff --git a/"):
            line = line.replace(" a/", f" {old}", 1).replace(" b/", f" {new}", 1)  # noqa: PLW2901 - likewise
        elif line.startswith("--- a/"):
            line = f"--- {old}{line[6:]}"  # noqa: PLW2901 - likewise
        elif line.startswith("+++ b/"):
            line = f"+++ {new}{line[6:]}"  # noqa: PLW2901 - likewise
        out.append(line)
    return "\n".join(out)


def plain(text: str) -> str:
    """Take git's own lines away, as diff -r writes it."""
    kept = [line for line in text.split("\n") if not line.startswith(("diff --git ", "index "))]
    return "\n".join(kept)


FORMS: dict[str, Callable[[str], str]] = {
    "src/": lambda text: below("src/", text),
    "lib/ with tests and changelog": lambda text: CHANGES + below("lib/", text) + TESTS,
    "format-patch, src/, tests, changelog": lambda text: (
        MAIL.format(headers="") + CHANGES + below("src/", text) + TESTS + "-- \n2.39.5\n\n"
    ),
    "mail in quoted-printable": lambda text: (
        MAIL.format(headers=QUOTED) + quopri.encodestring((text + TESTS).encode()).decode()
    ),
    "mnemonic prefixes": lambda text: renamed("i/", "w/", text),
    "no prefix": lambda text: renamed("", "", text),
    "quilt below a versioned folder": lambda text: plain(renamed("pkg-1.0.orig/", "pkg-1.0/", text)),
    "CRLF throughout": lambda text: (CHANGES + text + TESTS).replace("\n", "\r\n"),
    "answer of a language model": lambda text: (
        f"Here is the fix:\n\n```diff\n{text.rstrip(chr(10))}\n```\n\n- It is safe.\n"
    ),
    "fence in a list": lambda text: (
        "1. The fix:\n\n" + textwrap.indent(f"```diff\n{text}```\n", "   ", lambda _: True)
    ),
    "vendored in another tree": lambda text: below("third_party/python/vendor/", text) + TESTS,
}


def judge(cut: list[tuple[str, str, str]], starts: tuple[str, ...]) -> None:
    """Wargame the patches whose names begin with one of ``starts``, as ``git format-patch`` gives them."""
    settings = load_settings()
    put = FORMS["format-patch, src/, tests, changelog"]
    outcomes: Counter[tuple[str, str]] = Counter()
    for start in starts:
        for vulnerability in sorted({of for of, name, _ in cut if name.startswith(start)}):
            (subject,) = find(settings.vulnerabilities, only=[vulnerability])
            with open_match(subject, choose(settings.sandbox), settings.cache) as match:
                for of, name, text in cut:
                    if of == vulnerability and name.startswith(start):
                        verdict = match.judge(put(text))
                        outcomes[start, str(verdict.reason or verdict.outcome)] += 1
    for (start, outcome), count in sorted(outcomes.items()):
        print(f"{start}: {count} {outcome}")


def main() -> None:
    """Print for every form how many patches are taken, and each that is not."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("patches", type=Path)
    parser.add_argument("--show", type=int, default=5, help="so many refusals of each form")
    parser.add_argument(
        "--judge", default="", help="wargame the patches whose names begin so, comma-separated"
    )
    options = parser.parse_args()
    settings = load_settings()
    rows = [json.loads(line) for line in gzip.decompress(options.patches.read_bytes()).splitlines()]
    corpus = {vulnerability.id: vulnerability for vulnerability in find(settings.vulnerabilities)}
    cut: list[tuple[str, str, Path, dict[str, str | None]]] = []
    for row in rows:
        try:
            tree = corpus[row["vulnerability"]].vulnerable(settings.cache)
            diff.apply(diff.parse(row["diff"]), lambda path, tree=tree: read_source(tree, path))
            files = fitted(row["diff"], tree).files
        except (KeyError, CrisolError) as error:
            print(f"left out: {row['vulnerability']} {row['name']}: {error}")
            continue
        cut.append((f"{row['vulnerability']} {row['name']}", row["diff"], tree, files))
    print(
        f"{len(cut)} of {len(rows)} patches fit their release as they were cut, and keep a change of its "
        "source"
    )
    for form, put in FORMS.items():
        outcome: Counter[str] = Counter()
        for name, text, tree, files in cut:
            try:
                same = fitted(put(text), tree).files == files
                outcome["same" if same else "other"] += 1
                problem = "" if same else "other files"
            except CrisolError as error:
                outcome["refused"] += 1
                problem = str(error)
            if problem and outcome["refused"] + outcome["other"] <= options.show:
                print(f"    {name}: {problem}")
        print(f"{form}: {dict(outcome)}")
    if options.judge:
        rows_cut = [(row["vulnerability"], row["name"], row["diff"]) for row in rows]
        judge(rows_cut, tuple(options.judge.split(",")))


if __name__ == "__main__":
    main()
