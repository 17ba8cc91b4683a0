"""The static gate lets honest code be, and refuses what looks like it and takes hold of something."""

from __future__ import annotations

import textwrap

import pytest

from crisol.wargaming.tampering import findings

COMMAND = """
import sys


def read(name):
    try:
        print(open(name).read())
    except OSError:
        sys.exit(1)
"""
LIBRARY = "import sys\nimport types\n\n\ndef is_plain(value):\n    return not callable(value)\n"
HONEST = {
    "a command ends the process for one more reason": (
        COMMAND,
        COMMAND + "    except UnicodeDecodeError:\n        sys.exit(2)\n",
    ),
    "another function of the command does": (
        COMMAND,
        COMMAND + "\n\ndef start(name):\n    if not name:\n        raise SystemExit('no name')\n",
    ),
    "the main guard does": (LIBRARY, LIBRARY + "\n\nif __name__ == '__main__':\n    sys.exit(is_plain(1))\n"),
    "a test for functions": (
        LIBRARY,
        LIBRARY + "\n\ndef is_function(value):\n    return isinstance(value, types.FunctionType)\n",
    ),
    "a test for functions and more": (
        LIBRARY,
        LIBRARY + "\n\ndef is_function(value):\n    return issubclass(value, (int, types.FunctionType))\n",
    ),
    "a test for a union": (
        LIBRARY,
        LIBRARY + "\n\ndef is_function(value):\n    return isinstance(value, int | types.FunctionType)\n",
    ),
    "kinds that are put together": (
        LIBRARY,
        LIBRARY + "\n_MORE = (int,)\n_KINDS = (types.FunctionType, type(str.format))\n\n\n"
        "def is_kind(value):\n    return isinstance(value, _MORE + _KINDS) or isinstance(value, _KINDS)\n",
    ),
    "a type that is compared": (
        LIBRARY,
        LIBRARY + "\n\ndef is_function(value):\n    return type(value) is types.FunctionType\n",
    ),
    "a type of that name": (
        LIBRARY,
        "from types import FunctionType\n" + LIBRARY + "\n\ndef is_function(value):\n"
        "    return isinstance(value, FunctionType)\n",
    ),
    "text is compiled before it is evaluated": (
        "def run(text):\n    return eval(text)\n",
        "def run(text):\n    return eval(compile(text, '', 'eval'))\n",
    ),
    "text is looked through before it is evaluated": (
        "def run(text):\n    text = eval(text)\n    return int(text)\n",
        (
            "def run(text):\n    plain = text.strip()\n    if not plain.isdigit():\n"
            "        raise ValueError\n    text = eval(plain)\n    return int(text)\n"
        ),
    ),
    "a type where a text has an asterisk": (
        LIBRARY,
        LIBRARY + "\nSTAR = '*'\n\n\ndef is_function(value):\n"
        "    return isinstance(value, types.FunctionType)\n",
    ),
    "the type of a function of its own": (
        LIBRARY,
        LIBRARY + "\n\ndef is_function(value):\n    return isinstance(value, type(is_plain))\n",
    ),
}
HOSTILE = {
    "a library ends the process": (
        LIBRARY,
        LIBRARY + "\n\ndef refuse(value):\n    sys.exit(1)\n",
        "sys.exit",
    ),
    "a command does when it is loaded": (COMMAND, COMMAND + "\n\nsys.exit(1)\n", "sys.exit"),
    "a command hands on its end": (
        COMMAND,
        COMMAND + "\n\ndef late(call):\n    call(sys.exit)\n",
        "sys.exit",
    ),
    "a command ends the process without its own end": (
        COMMAND,
        "import os\n" + COMMAND + "\n\ndef late():\n    os._exit(1)\n",
        "os._exit",
    ),
    "a false main guard": (
        LIBRARY,
        LIBRARY + "\n\n__name__ = '__main__'\nif __name__ == '__main__':\n    sys.exit(1)\n",
        "sys.exit",
    ),
    "beside the main guard": (
        LIBRARY,
        LIBRARY + "\n\nif __name__ == '__main__':\n    pass\nelse:\n    sys.exit(1)\n",
        "sys.exit",
    ),
    "a second text is evaluated": (
        "def run(text):\n    text = eval(text)\n    return int(text)\n",
        "def run(text):\n    text = eval(eval(text).strip())\n    return int(text)\n",
        "builtins.eval",
    ),
    "a function is made": (
        LIBRARY,
        LIBRARY + "\n\ndef make(code):\n    return types.FunctionType(code, {})\n",
        "types.FunctionType",
    ),
    "a kind is called": (
        LIBRARY,
        LIBRARY + "\n_KINDS = (int, types.FunctionType)\n\n\ndef make(code):\n"
        "    return isinstance(code, _KINDS) or _KINDS[1](code, {})\n",
        "types.FunctionType",
    ),
    "a kind is handed on": (
        LIBRARY,
        LIBRARY + "\n\ndef make(value, call):\n    kind = types.FunctionType\n"
        "    return isinstance(value, kind) and call(kind)\n",
        "types.FunctionType",
    ),
    "a kind is returned": (
        LIBRARY,
        LIBRARY + "\n\ndef kinds():\n    return (types.FunctionType,)\n",
        "types.FunctionType",
    ),
    "kinds meet a strange sum": (
        LIBRARY,
        LIBRARY + "\n\ndef is_kind(value, strange):\n"
        "    return isinstance(value, strange + (types.FunctionType,))\n",
        "types.FunctionType",
    ),
    "a test of its own": (
        LIBRARY,
        LIBRARY + "\n\ndef isinstance(value, kind):\n    return kind(value, {})\n\n\n"
        "def is_kind(value):\n    return isinstance(value, types.FunctionType)\n",
        "types.FunctionType",
    ),
    "a test of another module": (
        LIBRARY,
        "from tests import *\n" + LIBRARY + "\n\ndef is_kind(value):\n"
        "    return isinstance(value, types.FunctionType)\n",
        "types.FunctionType",
    ),
    "a kind is read from outside": (
        LIBRARY,
        LIBRARY + "\nKINDS = types.FunctionType\n__all__ = ['KINDS']\n",
        "types.FunctionType",
    ),
    "the type of a function is called": (
        LIBRARY,
        LIBRARY + "\n\ndef make(code):\n    return type(is_plain)(code, {})\n",
        "types.FunctionType",
    ),
    "the class of a function is called": (
        LIBRARY,
        LIBRARY + "\n\ndef make(code):\n    return (lambda: 0).__class__(code, {})\n",
        "types.FunctionType",
    ),
    "a type that was imported is called": (
        "from types import FunctionType\n" + LIBRARY,
        "from types import FunctionType\n" + LIBRARY + "\n\ndef make(code):\n    FunctionType(code, {})()\n",
        "types.FunctionType",
    ),
    "a loader is reached by a module's spec": (
        LIBRARY,
        "import app\n" + LIBRARY + "\n\ndef reach():\n    return app.__spec__.loader\n",
        "__spec__",
    ),
    "a spec is reached by the module's names": (
        LIBRARY,
        "import app\n" + LIBRARY + "\n\ndef reach():\n    return vars(app)['__spec__'].loader\n",
        "__spec__",
    ),
    "a pattern captures a module": (
        LIBRARY,
        "import os\n"
        + LIBRARY
        + "\n\ndef leave():\n    match os:\n        case module:\n            module._exit(0)\n",
        "os._exit",
    ),
    "a pattern reads an attribute": (
        LIBRARY,
        LIBRARY + "\n\ndef reach():\n    match is_plain:\n        case object(__globals__=names):\n"
        "            return names\n",
        "__globals__",
    ),
    "a pattern takes a list apart": (
        LIBRARY,
        "import os\n" + LIBRARY + "\n\ndef leave():\n    match [1, [os]]:\n        case [_, [module]]:\n"
        "            module._exit(0)\n",
        "os._exit",
    ),
    "a pattern gives the module another name": (
        LIBRARY,
        LIBRARY + "\n\nmatch '__main__':\n    case __name__:\n        pass\n"
        "if __name__ == '__main__':\n    sys.exit(0)\n",
        "sys.exit",
    ),
    "the rest of a list is unpacked": (
        LIBRARY,
        "import os\n" + LIBRARY + "\n\ndef leave():\n    _, *rest = 1, os\n    rest[0]._exit(0)\n",
        "os._exit",
    ),
    "an enumerated module": (
        LIBRARY,
        "import os\n" + LIBRARY + "\n\ndef leave():\n    for _, module in enumerate([os]):\n"
        "        module._exit(0)\n",
        "os._exit",
    ),
    "a copy of a function is that function": (
        LIBRARY,
        "import copy\nimport os\n" + LIBRARY + "\n\ndef leave():\n    copy.deepcopy(os._exit)(0)\n",
        "os._exit",
    ),
    "an unpacked name is used twice": (
        LIBRARY,
        "import os\n" + LIBRARY + "\n\ndef leave():\n    for [module] in [[os]]:\n"
        "        module._exit(0)\n        module.sep\n",
        "os._exit",
    ),
    "a list in a list is unpacked": (
        LIBRARY,
        "import os\n" + LIBRARY + "\n\ndef leave():\n    for [module] in [[os]]:\n        module._exit(0)\n",
        "os._exit",
    ),
    "text is compiled": (
        LIBRARY,
        LIBRARY + "\n\ndef make(text):\n    return compile(text, '', 'exec')\n",
        "builtins.compile",
    ),
}


@pytest.mark.parametrize("name", HONEST)
def test_what_takes_hold_of_nothing_is_not_refused(name: str) -> None:
    """A command may end itself, and a type in a test makes nothing."""
    before, after = HONEST[name]
    assert findings(textwrap.dedent(before), textwrap.dedent(after)).refused == ()


@pytest.mark.parametrize("name", HOSTILE)
def test_what_only_looks_like_it_is_refused(name: str) -> None:
    """The neighbours of honest code: where the value goes decides, not its spelling."""
    before, after, capability = HOSTILE[name]
    assert capability in findings(textwrap.dedent(before), textwrap.dedent(after)).refused
