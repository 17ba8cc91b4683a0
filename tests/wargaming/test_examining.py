"""A patched file is read without running it, whatever it holds."""

import pytest

from crisol.wargaming.examining import examined, newly_refused


def test_a_number_of_thousands_of_digits_is_read() -> None:
    """Python refuses to write such a number in decimal; a patch that holds one is none the worse for it."""
    examination = examined(
        "a = 1\n", f"a = 0x{'f' * 5000}\nb = chr(a)\nc = 'ab'.fromhex('61')\n", frozenset()
    )
    assert (examination.error, examination.refused) == ("", ())


def test_a_text_method_that_raises_has_no_result() -> None:
    """A constant call that fails when it runs is no reason to refuse to read the file."""
    after = "a = ''\nb = 'x'.split(a)\nc = 'x'.split('')[0]\nd = 'x'.format(*[])\n"
    examination = examined("a = 1\n", after, frozenset())
    assert (examination.error, examination.refused) == ("", ())


def test_a_name_put_together_from_text_is_the_name() -> None:
    """By concatenation, join, formatting, slices, codecs and numbers of letters."""
    for spelling in (
        "'_ex' + 'it'",
        "''.join(['_', 'exit'])",
        "'%s%s' % ('_e', 'xit')",
        "'tixe_'[::-1]",
        "'_xEXIT'.replace('x', '').lower()",
        "__import__('codecs').decode('_rkvg', 'rot13')",
        "__import__('base64').b64decode('X2V4aXQ=').decode()",
        "chr(95) + 'exit'",
        "f'_{\"exit\"}'",
    ):
        examination = examined("import os\n", f"import os\ngetattr(os, {spelling})(0)\n", frozenset())
        assert "os._exit" in " ".join(examination.refused), spelling


def test_code_that_moves_to_another_file_of_the_patch_adds_nothing() -> None:
    """A look-up that one file loses and another gains is not new; another one is."""
    lookup = "import sys\n\n\ndef find(name):\n    return sys.modules.get(name)\n"
    before = lookup.replace(".get(name)", "[name]")
    loses = examined(before, "def find(name):\n    return None\n", frozenset())
    gains = examined("import sys\n", lookup, frozenset())
    frames = examined("import sys\n", "import sys\nsys._getframe()\n", frozenset())
    assert newly_refused([examined(before, lookup, frozenset())]) == []
    assert newly_refused([gains]) == ["sys.modules"]
    assert newly_refused([loses, gains]) == []
    assert newly_refused([loses, gains, frames]) == ["sys._getframe"]


def test_code_that_stays_where_it_was_did_not_move() -> None:
    """A line that only changes around a forbidden call excuses no such call in another file."""
    ends = "import os\n\n\ndef end(code):\n    os._exit(code)\n"
    stays = examined(ends, ends.replace("(code)\n", "(code or 1)\n"), frozenset())
    gains = examined("import os\n", "import os\nos._exit(0)\n", frozenset())
    assert newly_refused([stays]) == []
    assert newly_refused([stays, gains]) == ["os._exit"]


@pytest.mark.parametrize(
    ("text", "refused"),
    [
        ("from app.a import F\nF(is_plain, {})\n", ["F"]),
        ("import app.a as a\na.F(is_plain, {})\n", ["F"]),
        ("from .a import *\nF(is_plain, {})\n", ["F"]),
        ("from app.a import is_function\nis_function(1)\n", []),
        ("from types import FunctionType as F\nisinstance(1, F)\n", []),
    ],
)
def test_a_type_that_one_file_tests_is_read_by_no_other(text: str, refused: list[str]) -> None:
    """A variable that holds the type of functions could be called in another file of the patch."""
    tests = "from types import FunctionType as F\n\n\ndef is_function(x):\n    return isinstance(x, F)\n"
    looks = [examined("", after, frozenset({"app"})) for after in (tests, text)]
    assert newly_refused(looks) == refused
