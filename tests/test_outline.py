"""A diff that the kernel reads is the patch that the parser reads, and what the parser refuses is left to it."""

from __future__ import annotations

import random
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crisol.diff import parse
from crisol.errors import DiffError
from crisol.model.features import vector
from crisol.model.kernel import Kernel, open_kernel, parser
from test_model_kernel import DIFF, corpus, kernel

__all__ = ["kernel"]

LINES = [
    "", " ", "+", "-", "-- ", "--", "---", "+++ ", "@@", "\t", "\\ No newline at end of file", "+x", "-x", " x", "text",
    "--- a/x", "+++ b/x", "--- a/app.py", "+++ b/app.py", "--- /dev/null", "+++ /dev/null", "diff --git a/x b/x", "index 12..34",
    "similarity index 90%", "new file mode 100644", "old mode 100755", "rename from x", "Binary files a and b differ",
    "GIT binary patch", "@@ -1 +1 @@", "@@ -1,0 +1 @@ f", "@@ -0,0 +1 @@", "@@ -0 +0 @@", "@@ -9,2 +9,3 @@", "@@ -01 +1 @@",
    "@@ -1234567890 +1 @@", "@@ -1,1 +1,1",
]  # fmt: skip
PATHS = [
    "a/x", "x", "b/x", "x/y.py", "tests/x", "TeSt", ".", "..", "a/..", "a/../b", "a//b", "/a", "a/", "c:/x", ".git/x", "x/.GiT",
    ".gitignore", "te st", "x ", "x\t2026-01-01", "'x'", '"a/x"', "a\\b", "\u00e9", "x\x01", "x\x7f", "x" * 255, "x" * 256,
    "/".join(["x" * 200] * 6), "/dev/null", "",
]  # fmt: skip


def agrees(kernel: Kernel, text: str) -> bool:
    """Hold a reading by the kernel against the parser's; return whether there is one."""
    plain = kernel.outline(text)
    if plain is None:
        return False
    patch = parse(text)
    assert plain.identity == patch.identity, text
    assert kernel.features(plain, "CWE-22") == vector(patch, "CWE-22"), text
    assert plain == patch
    assert patch == plain
    return True


def bent(rng: random.Random, text: str) -> str:
    """Return a diff with a few lines gone, doubled, moved, put in or changed by a character."""
    lines = text.split("\n")
    for _ in range(rng.randint(1, 3)):
        at, kind = rng.randrange(len(lines)), rng.randrange(7)
        line = lines[at]
        if kind == 0:
            lines.insert(at, rng.choice(LINES))
        elif kind == 1:
            lines.insert(at, line)
        elif kind == 2 and len(lines) > 1:
            del lines[at]
        elif kind == 3:
            other = rng.randrange(len(lines))
            lines[at], lines[other] = lines[other], line
        elif kind == 4 and line.startswith(("--- ", "+++ ")):
            lines[at] = line[:4] + rng.choice(["", "a/", "b/"]) + rng.choice(PATHS)
        elif line:
            place = rng.randrange(len(line))
            lines[at] = (
                line[:place]
                + rng.choice("0123456789+- @,\t\r\0'\"\\/.:x\x1f\u00e9")
                + line[place + kind % 2 :]
            )
    return "\n".join(lines)


def test_every_diff_of_the_vulnerabilities_is_plain_and_the_same_patch(kernel: Kernel) -> None:
    for text in corpus():
        assert agrees(kernel, text)
        assert agrees(kernel, str(parse(text)))
        assert agrees(kernel, f"From: somebody\nSubject: why\n\n{text}-- \n2.39\n")


def test_thousands_of_bent_diffs_are_the_same_patch_or_left_to_the_parser(kernel: Kernel) -> None:
    """What the parser refuses is never read here: the assertion is that parse() does not raise."""
    rng = random.Random(0)
    known = [text for text in corpus() if len(text) < 2_000]
    read = sum(agrees(kernel, bent(rng, rng.choice(known))) for _ in range(6_000))
    assert 1_000 < read < 5_000


@settings(deadline=None, max_examples=500)
@given(lines=st.lists(st.sampled_from(LINES) | st.text(max_size=9), max_size=12), cut=st.integers(0, 30))
def test_any_lines_are_the_same_patch_or_left_to_the_parser(
    kernel: Kernel, lines: list[str], cut: int
) -> None:
    agrees(kernel, "\n".join(lines))
    agrees(kernel, "\n".join([*DIFF.split("\n")[:-1], *lines]))
    agrees(kernel, ("\n".join([*lines, DIFF]) + DIFF.replace("a.py", "b.py"))[:-cut])


@pytest.mark.parametrize(
    ("one", "other", "read"), [("a", "b", True), ("b", "a", False), ("a", "a", False), ("a", "ab", True)]
)
def test_files_out_of_order_or_named_twice_are_left_to_the_parser(
    kernel: Kernel, one: str, other: str, read: bool
) -> None:
    text = DIFF.replace("a.py", one) + DIFF.replace("a.py", other)
    assert agrees(kernel, text) == read


def test_more_than_is_plain_is_left_to_the_parser(kernel: Kernel) -> None:
    """Text, hunks and files past what the kernel sets aside for them; nothing is written past the end."""
    hunks = [f"@@ -{2 * at + 1} +{2 * at + 1} @@\n-a\n+b\n" for at in range(257)]
    assert agrees(kernel, "--- a/x\n+++ b/x\n" + "".join(hunks[:256]))
    assert not agrees(kernel, "--- a/x\n+++ b/x\n" + "".join(hunks))
    files = [f"--- a/{at:03}\n+++ b/{at:03}\n@@ -1 +1 @@\n-a\n+b\n" for at in range(201)]
    assert agrees(kernel, "".join(files[:200]))
    assert not agrees(kernel, "".join(files))
    for count, read in ((49_900, True), (50_000, False)):
        assert agrees(kernel, f"--- a/x\n+++ b/x\n@@ -1 +1 @@\n-a\n+{'b' * count}\n") == read
        assert agrees(kernel, DIFF + "\n" * (count - 40)) == read


@pytest.mark.parametrize(
    "piece", ["--- a/x\n", "diff --git a/x b/x\n", "@@ -1 +1 @@\n", "index 1\n", "\n", "a", "+\n", "/"]
)
def test_many_times_the_same_costs_bounded_time(kernel: Kernel, piece: str) -> None:
    text = piece * (50_000 // len(piece))
    for whole in (text, f"--- a/x\n+++ b/x\n@@ -1 +1,{50_000} @@\n{text}"[:50_000], f"--- {text}"[:50_000]):
        start = time.process_time()
        kernel.outline(whole)
        assert time.process_time() - start < 0.2


def test_reading_by_the_kernel_raises_what_parsing_raises() -> None:
    """And without it the parser alone reads."""
    for allowed in (True, False):
        read = parser(kernel=allowed)
        assert read(DIFF) == parse(DIFF)
        with pytest.raises(DiffError, match="not a hunk header"):
            read(DIFF.replace("@@ -1 +1,2 @@", "@@ -1 +one @@"))
    assert parser(kernel=False) is parse
    assert (parser(kernel=True) is parse) == (open_kernel() is None)
