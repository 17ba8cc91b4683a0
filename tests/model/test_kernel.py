"""The kernel gives what Python gives, to the last bit, and is left aside wherever it might not."""

from __future__ import annotations

import hashlib
import random
import shutil
import string
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crisol.diff import FileChange, Hunk, Patch, parse
from crisol.errors import ModelError, UnavailableError
from crisol.model.features import FEATURES, vector
from crisol.model.kernel import NODE, Kernel
from crisol.model.kernel import library as loader
from crisol.model.kernel.compile import SOURCES, build
from crisol.model.predictor import Predictor
from crisol.model.reading import lenient, open_diff
from crisol.model.serving import PARITY, export, open_serving
from crisol.model.training import train
from crisol.model.variants import load_variants
from crisol.records import LabelledPatch
from support.model_data import patches, small

ROOT = Path(__file__).parents[2]
VARIANTS = load_variants(ROOT / "experiments" / "variants.yaml")
GROWN = {"forest", "extra", "boosting", "lightgbm"}
# What reads the source is not served.
COMPILED = sorted(name for name, one in VARIANTS.items() if one.model in GROWN and one.features != "source")
CWES = ("", "CWE-22", "79", "CWE-611", "CWE-1333", "CWE-787", "CWE-9999")
DIFF = "--- a/a.py\n+++ b/a.py\n@@ -1 +1,2 @@\n+assert is_safe(path)\n open(path)\n"
MEANT = sorted({word for members in loader.SETS for word in members})

needs_compiler = pytest.mark.skipif(
    shutil.which("cc") is None, reason="there is no C compiler to build the kernel"
)


@pytest.fixture(scope="module")
def kernel(tmp_path_factory: pytest.TempPathFactory) -> Kernel:
    if shutil.which("cc") is None:
        pytest.skip("there is no C compiler to build the kernel")
    library = tmp_path_factory.mktemp("kernel") / "kernel.so"
    assert build(library) == ""
    return loader.load(library)


def corpus() -> list[str]:
    return [path.read_text() for path in sorted(ROOT.glob("data/vulnerabilities/*/*/patches/*.diff"))]


def word(rng: random.Random) -> str:
    """Return something that a token may be, or several of them."""
    kind = rng.random()
    if kind < 0.3:
        return rng.choice(MEANT)
    if kind < 0.5:
        cases = (str.upper, str.lower, str.title)
        return "".join(
            rng.choice(cases)(rng.choice(MEANT)) + rng.choice(["", "_", "1"])
            for _ in range(rng.randint(1, 4))
        )
    if kind < 0.6:
        return "".join(rng.choices("aAbB1_", k=rng.randint(1, 90)))
    if kind < 0.9:
        return "".join(rng.choices(string.punctuation, k=rng.randint(1, 3)))
    return "".join(rng.choices([chr(one) for one in range(128) if one != 10], k=rng.randint(1, 4)))


def made_up(rng: random.Random) -> str:
    lines = ["@@"]
    for _ in range(rng.randint(0, 12)):
        start = rng.choice(["+", "-", " ", "@@\n+", "+++ b/test.py\n+"]) + rng.choice(
            ["", " ", "\t", "# ", "import "]
        )
        lines.append(start + rng.choice([" ", "", ""]).join(word(rng) for _ in range(rng.randint(0, 14))))
    return "\n".join(lines)


def test_every_diff_of_the_vulnerabilities_gives_the_very_same_numbers(kernel: Kernel) -> None:
    known = corpus()
    assert len(known) > 250
    read = 0
    for text in known:
        patch = parse(text)
        for cwe in CWES[:3]:
            found = kernel.features(patch, cwe)
            assert found is None or found == vector(patch, cwe)
            read += found is not None
    assert read > 2.9 * len(known)


def test_thousands_of_made_up_diffs_give_the_very_same_numbers(kernel: Kernel) -> None:
    """Words that mean something in every case and composition, operators, control characters."""
    rng = random.Random(0)
    for _ in range(4_000):
        text = made_up(rng)
        patch, cwe = lenient(text), rng.choice(CWES)
        assert kernel.features(patch, cwe) == vector(patch, cwe), text


@settings(deadline=None, max_examples=300)
@given(text=st.binary(max_size=2_000), cwe=st.sampled_from(CWES))
def test_any_bytes_give_the_very_same_numbers(kernel: Kernel, text: bytes, cwe: str) -> None:
    ascii_only = bytes(byte & 127 for byte in text).decode()
    for patch in (lenient(ascii_only), lenient("+" + ascii_only.replace("\n", "\n+"))):
        assert kernel.features(patch, cwe) == vector(patch, cwe)


@settings(deadline=None, max_examples=300)
@given(
    text=st.lists(st.sampled_from(corpus()), min_size=1, max_size=2),
    cut=st.integers(0, 2_000),
    cwe=st.sampled_from(CWES),
)
def test_a_torn_diff_gives_the_very_same_numbers(kernel: Kernel, text: list[str], cut: int, cwe: str) -> None:
    patch = open_diff("".join(text)[cut:])
    found = kernel.features(patch, cwe)
    assert found is None or found == vector(patch, cwe)


@pytest.mark.parametrize("name", COMPILED)
def test_trees_give_the_probabilities_of_the_library_that_grew_them(
    kernel: Kernel, name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Thresholds, leaves and links hold on every diff of the vulnerabilities, whichever way the diff is read."""
    monkeypatch.setattr("crisol.model.predictor.open_kernel", lambda: kernel)
    known = [
        LabelledPatch(str(at), f"g{at // 8}", "p", at % 2, text, "CWE-79") for at, text in enumerate(corpus())
    ]
    fitted = train(small(VARIANTS[name]), known, seed=0)
    export(fitted, tmp_path)
    served, plain = Predictor.load(tmp_path), fitted.probabilities(known)
    assert served.form == "kernel"
    found = [served.predict(parse(one.diff), one.cwe).probability for one in known]
    assert np.abs(np.array(found) - plain).max() < PARITY


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    export(train(small(VARIANTS["lightgbm"]), patches(20, 6), seed=0), tmp_path)
    return tmp_path


def test_what_is_not_ascii_python_reads_and_the_trees_answer(
    kernel: Kernel, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("crisol.model.predictor.open_kernel", lambda: kernel)
    patch = parse(DIFF.replace("path", "Straße"))
    assert kernel.features(patch, "CWE-22") is None
    served, onnx = Predictor.load(folder), Predictor.load(folder, kernel=False)
    assert (served.form, onnx.form) == ("kernel", "onnx")
    one, other = (each.predict(patch, "CWE-22").probability for each in (served, onnx))
    assert one == pytest.approx(other, abs=PARITY)


def test_lines_that_hold_line_feeds_are_left_to_python(kernel: Kernel) -> None:
    """No parser makes such a patch; text and shape disagree, and nothing is read past either."""
    for lines in (("+a\nb", " c"), ("+a", " c\n"), ("\n+a",)):
        odd = Patch((FileChange("a", "a", (Hunk(1, 1, lines),)),))
        assert kernel.features(odd, "") is None
    empty = Patch((FileChange("a", "a", (Hunk(1, 1, ()),)),))
    assert kernel.features(empty, "") == vector(empty, "")
    assert kernel.features(Patch(()), "CWE-22") == vector(Patch(()), "CWE-22")


def test_without_a_library_the_portable_form_answers(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loader, "LIBRARY", folder / "none.so")
    loader._found.cache_clear()
    try:
        assert "not built" in loader.state()
        assert Predictor.load(folder).form == "onnx"
    finally:
        loader._found.cache_clear()


def test_a_folder_of_before_the_kernel_is_served_by_onnx(folder: Path) -> None:
    """Also where there is a kernel."""
    path = folder / "serving.json"
    serving = open_serving(folder)
    path.write_text(path.read_text().replace(f'"{serving.trees_sha256}"', '""'))
    assert Predictor.load(folder).form == "onnx"


def compiled(tmp_path: Path, source: str) -> Path:
    path, library = tmp_path / "other.c", tmp_path / "other.so"
    path.write_text(source)
    assert build(library, sources=(path, *SOURCES[1:])) == ""
    return library


@needs_compiler
def test_a_library_that_is_stale_foreign_or_wrong_is_refused(tmp_path: Path) -> None:
    source = SOURCES[0].read_text()
    (tmp_path / "garbage.so").write_bytes(b"\x7fELF" + bytes(200))
    with pytest.raises(UnavailableError, match="cannot be loaded"):
        loader.load(tmp_path / "garbage.so")
    with pytest.raises(UnavailableError, match="cannot be loaded"):
        loader.load(compiled(tmp_path, "int crisol_other(void) { return 1; }\n"))
    for number, (old, new, message) in enumerate(
        [
            ("crisol_source[] = CRISOL_SOURCE", 'crisol_source[] = "0"', "another source"),
            ("F(spots, r->spots)", "F(runs, r->spots)", "other features"),
            ("FAMILIES = 12", "FAMILIES = 13", "other features"),
            ("reading->spots += !inside", "reading->spots += inside", "does not agree"),
            ("if (sets[i] >> SETS ||", "if (sets[i] ||", "vocabulary"),
        ]
    ):
        assert source.count(old) == 1
        inside = tmp_path / str(number)
        inside.mkdir()
        with pytest.raises(UnavailableError, match=message):
            loader.load(compiled(inside, source.replace(old, new)))


@needs_compiler
def test_a_compiler_that_is_missing_or_fails_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken = tmp_path / "broken.c"
    broken.write_text("int main(void) { return }\n")
    assert "cc failed" in build(tmp_path / "made.so", sources=(broken,))
    monkeypatch.setenv("CC", "no-such-compiler")
    assert "no C compiler" in build(tmp_path / "made.so")
    assert [path.name for path in tmp_path.iterdir()] == ["broken.c"]


def test_trees_that_lead_nowhere_are_refused(kernel: Kernel) -> None:
    """A loop, a child outside or shared, a column that there is not: what would hang or read elsewhere."""
    for column, yes, no in ((0, 0, 1), (0, 1, 3), (0, -1, 1), (0, 1, 1), (95, 1, 2)):
        nodes = np.array([(0.0, 0.5, column, yes, no), *[(1.0, 0.0, -1, 0, 0)] * 2], NODE)
        with pytest.raises(ModelError, match="lead nowhere"):
            kernel.trees(nodes, len(FEATURES), logistic=False)
    nodes["column"][0], nodes["yes"][0], nodes["no"][0] = 94, 1, 2
    assert kernel.trees(nodes, len(FEATURES), logistic=False).score(parse(DIFF), "") == 1.0


@pytest.mark.parametrize("content", [b"", b"\x93NUMPY\x01\x00", "pickled"])
def test_a_forged_file_of_trees_is_refused(
    kernel: Kernel, folder: Path, content: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Even one whose hash was forged, too; objects are never unpickled."""
    monkeypatch.setattr("crisol.model.predictor.open_kernel", lambda: kernel)
    if content == "pickled":
        np.save(folder / "trees.npy", np.array([print], dtype=object), allow_pickle=True)
    else:
        (folder / "trees.npy").write_bytes(content)
    with pytest.raises(ModelError, match="not the model that serving"):
        Predictor.load(folder)
    found = hashlib.sha256((folder / "trees.npy").read_bytes()).hexdigest()
    path = folder / "serving.json"
    path.write_text(path.read_text().replace(open_serving(folder).trees_sha256, found))
    with pytest.raises(ModelError, match="cannot be read as trees"):
        Predictor.load(folder)


@pytest.mark.parametrize(
    "alphabet", ["A", "a1_", "=!<>&|.", "\"'\\", "(", "aA ", "if ", string.printable.replace("\n", ""), " "]
)
def test_a_mebibyte_costs_bounded_time(kernel: Kernel, alphabet: str) -> None:
    rng = random.Random(0)
    for width in (65_000, 40):
        text = "\n".join(
            "+" + "".join(rng.choices(alphabet, k=width)) for _ in range((1 << 20) // (width + 2))
        )
        patch = Patch((FileChange("a", "a", (Hunk(1, 1, tuple(text.split("\n"))),)),))
        start = time.process_time()
        found = kernel.features(patch, "CWE-1333")
        assert time.process_time() - start < 0.5
        assert found == vector(patch, "CWE-1333")


def test_more_than_a_mebibyte_is_left_to_python(kernel: Kernel) -> None:
    patch = Patch((FileChange("a", "a", (Hunk(1, 1, ("+" + "a" * (1 << 20),)),)),))
    assert kernel.features(patch, "") is None


def colliding(count: int) -> list[str]:
    """Return names with one FNV-1a hash: each is a chain of either of two blocks that lead to the same state."""
    rng = np.random.default_rng(0)
    state, pairs = np.uint32(2166136261), list[list[str]]()
    while 2 ** len(pairs) < count:
        blocks = rng.integers(ord("a"), ord("z") + 1, (200_000, 8), np.uint32)
        found = np.full(len(blocks), state, np.uint32)
        for column in blocks.T:
            found = (found ^ column) * np.uint32(16777619)
        order = np.argsort(found)
        same = order[np.flatnonzero(np.diff(found[order]) == 0)[:, None] + [0, 1]]
        for one, other in same[(blocks[same[:, 0]] != blocks[same[:, 1]]).any(axis=1)][:1]:
            pairs.append([blocks[at].astype(np.uint8).tobytes().decode() for at in (one, other)])
            state = found[one]
    return ["".join(pair[number >> bit & 1] for bit, pair in enumerate(pairs)) for number in range(count)]


def test_names_that_collide_are_given_up_and_python_reads_them(kernel: Kernel) -> None:
    names = colliding(8_192)
    assert len(set(names)) == 8_192
    patch = Patch((FileChange("a", "a", (Hunk(1, 1, tuple("+x" + name for name in names)),)),))
    assert kernel.features(patch, "") is not None, "behind an x they are as good as any"
    patch = Patch((FileChange("a", "a", (Hunk(1, 1, tuple("+" + name for name in names)),)),))
    start = time.process_time()
    assert kernel.features(patch, "") is None
    assert time.process_time() - start < 0.5


def test_threads_share_a_kernel(kernel: Kernel) -> None:
    known = [parse(text) for text in corpus()[:60]]
    expected = [kernel.features(patch, "CWE-22") for patch in known]
    found: list[bool] = []

    def ask() -> None:
        found.extend(
            kernel.features(patch, "CWE-22") == right for patch, right in zip(known, expected, strict=True)
        )

    threads = [threading.Thread(target=ask) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [True] * 480


def test_serving_with_the_kernel_loads_no_runtime(folder: Path) -> None:
    """A worker that has the kernel holds neither ONNX Runtime nor scikit-learn."""
    if loader.state():
        pytest.skip(f"the installed kernel cannot be used: {loader.state()}")
    code = (
        "import sys\n"
        "from crisol.diff import parse\n"
        "from crisol.model.predictor import Predictor\n"
        f"assert Predictor.load({str(folder)!r}).predict(parse({DIFF!r}), '').probability\n"
        "print(sorted({'onnxruntime', 'onnx', 'sklearn', 'scipy'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
