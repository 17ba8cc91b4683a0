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
    "a text is timed": (LIBRARY, f"import timeit\n{LIBRARY}\ntimeit.timeit('1', number=1)\n", "timeit"),
    "a name is located": (LIBRARY, f"import pydoc\n{LIBRARY}\nFLAGS = pydoc.locate('sys.flags')\n", "pydoc"),
    "an annotation is evaluated": (
        LIBRARY,
        f"import typing\n{LIBRARY}\nHINTS = typing.get_type_hints(is_plain)\n",
        "typing.get_type_hints",
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
    "lines that only Python does not split": (
        LIBRARY,
        "# \u2028\u2029\x85\x0b\x0c\x1c\x1d\x1e\n" + LIBRARY + "\n\nimport gc\n",
        "gc",
    ),
    "lines that end in a carriage return": (
        LIBRARY,
        LIBRARY.replace("\n", "\r") + "\r\rimport gc\r",
        "gc",
    ),
    "lines that only the encoding splits": (
        LIBRARY,
        "# coding: raw_unicode_escape\n#" + r" \u000a" * 9 + "\n" + LIBRARY + "\n\nimport gc\n",
        "gc",
    ),
    "a field in the format of a field": (
        LIBRARY,
        LIBRARY + "\n\nNAMES = '{0:{1.__globals__}}'.format(0, is_plain)\n",
        "__globals__",
    ),
    "a field before an error": (LIBRARY, LIBRARY + "\n\nNAMES = '{0.__globals__} }'.format\n", "__globals__"),
    "a formatting method that is handed on": (
        LIBRARY,
        LIBRARY + "\n\nNAMES = list(map('{0.__globals__}'.format, [is_plain]))\n",
        "__globals__",
    ),
    "text of hexadecimal digits": (
        LIBRARY,
        LIBRARY + "\nimport codecs\n\n"
        "NAMES = getattr(is_plain, codecs.decode('5f5f676c6f62616c735f5f', 'hex').decode())\n",
        "__globals__",
    ),
    "bytes in base64": (
        LIBRARY,
        LIBRARY + "\nimport codecs\n\n"
        "NAMES = getattr(is_plain, codecs.decode(b'X19nbG9iYWxzX18=', encoding='base64').decode())\n",
        "__globals__",
    ),
    "bytes in an encoding": (
        LIBRARY,
        LIBRARY + "\n\nNAMES = getattr(is_plain, b'+AF8AXw-globals+AF8AXw-'.decode('utf-7'))\n",
        "__globals__",
    ),
    "a formatting method of another name": (
        LIBRARY,
        LIBRARY + "\n\nformat = str.format\nNAMES = format('{0.__globals__}', is_plain)\n",
        "__globals__",
    ),
    "bytes as a text": (
        LIBRARY,
        LIBRARY + "\n\nNAMES = getattr(is_plain, str(b'+AF8AXw-globals+AF8AXw-', 'utf-7'))\n",
        "__globals__",
    ),
    "text is compiled": (
        LIBRARY,
        LIBRARY + "\n\ndef make(text):\n    return compile(text, '', 'exec')\n",
        "builtins.compile",
    ),
}

REACHING = {
    "an import of another name": ("import app.a as a\n", "a.sys.exit(0)", "sys.exit"),
    "an import from a module": ("from app.a import sys\n", "sys.exit(0)", "sys.exit"),
    "a relative import": ("from .a import gc\n", "gc.collect()", "gc"),
    "a star": ("from app.a import *\n", "sys.exit(0)", "sys.exit"),
    "an import by a call": ("import importlib\n", "importlib.import_module('app.a').sys.exit(0)", "sys.exit"),
    "a dictionary": ("import app.a\n", "vars(app.a)['sys'].exit(0)", "sys.exit"),
    "an attribute by its name": ("import app.a\n", "getattr(app.a, 'gc').collect()", "gc"),
    "a lookup in a dictionary": ("import app.a\n", "vars(app.a).get('sys').exit(0)", "sys.exit"),
    "a call of a method": (
        "import app.a\nimport operator\n",
        "operator.methodcaller('exit')(app.a.sys)",
        "sys.exit",
    ),
    "a lookup in the library": ("import os\n", "vars(os).get('_exit')(0)", "os._exit"),
    "a submodule through the library": (
        "import inspect\n",
        "inspect.importlib.machinery.x",
        "importlib.machinery",
    ),
    "a type": ("from app.a import types\n", "types.FunctionType(value, {})", "types.FunctionType"),
    "a module through the library": ("import logging\n", "logging.atexit.register(value)", "atexit"),
}
PRETENDING = {
    "a lambda": "class S(str):\n    __eq__ = lambda self, other: True\n",
    "a function of the module": "class S(str):\n    __eq__ = is_plain\n",
    "a method below a condition": (
        "class S(str):\n    if True:\n        def __eq__(self, other):\n            return True\n"
    ),
    "a method that waits": "class S(str):\n    async def __eq__(self, other):\n        return True\n",
    "an imported method": "class S(str):\n    from app import yes as __eq__\n",
    "an annotated method": "class S(str):\n    __eq__: object = is_plain\n",
    "another base class": (
        "class Mixin:\n    def __eq__(self, other):\n        return True\n\n\n"
        "class S(Mixin, str):\n    pass\n"
    ),
    "unpacked base classes": "class S(*[str]):\n    __eq__ = is_plain\n",
    "the class of a value": "def make(value):\n    class S(value.__class__):\n        __eq__ = is_plain\n",
    "a method that is added": "class S(str):\n    pass\n\n\nS.__eq__ = is_plain\n",
    "a method that is set": "class S(str):\n    pass\n\n\nsetattr(S, '__eq__', is_plain)\n",
    "a call of type": "S = type('S', (str,), dict(__eq__=is_plain))\n",
    "base classes of another name": "BASES = (str,)\nS = type('S', BASES, {'__eq__': is_plain})\n",
    "methods of another name": "METHODS = {'__eq__': is_plain}\nS = type('S', (str,), METHODS)\n",
    "type by another name": "make = type\nS = make('S', (str,), {**{'__eq__': is_plain}})\n",
    "unpacked arguments": "S = type(*['S', (str,), {'__eq__': is_plain}])\n",
    "another metaclass": "import abc\n\nS = abc.ABCMeta('S', (str,), {'__eq__': is_plain})\n",
    "a class of types": "S = types.new_class('S', (str,), {}, is_plain)\n",
    "a method that is handed on to setattr": (
        "import functools\n\n\nclass S(str):\n    pass\n\n\n"
        "functools.partial(setattr, S)('__eq__', is_plain)\n"
    ),
    "unpacked arguments of setattr": "class S(str):\n    pass\n\n\nsetattr(*(S, '__eq__', is_plain))\n",
    "a pattern": "class S(str):\n    match is_plain:\n        case __eq__:\n            pass\n",
    "a default that binds": (
        "class S(str):\n    def shown(self, x=(__eq__ := is_plain)):\n        return x\n"
    ),
    "a decorator that binds": (
        "class S(str):\n    @(__eq__ := is_plain)\n    def shown(self):\n        return 1\n"
    ),
    "a lambda's default that binds": "class S(str):\n    shown = lambda self, *, x=(__eq__ := is_plain): x\n",
    "an annotation that binds": (
        "class S(str):\n    async def shown(self) -> (__eq__ := is_plain):\n        return 1\n"
    ),
    "a base class of an inner class that binds": (
        "class S(str):\n    class Inner((__eq__ := object)):\n        pass\n"
    ),
    "a base class that names others": (
        "class E:\n    def __mro_entries__(self, bases):\n        return (str,)\n\n\n"
        "class S(E()):\n    __eq__ = is_plain\n"
    ),
    "type as the class of a class": (
        "METHODS = {'__eq__': is_plain}\nmake = str.__class__\nS = make('S', (str,), METHODS)\n"
    ),
    "a test of another module that is replaced": "import app\n\napp.isinstance = is_plain\n",
    "a test in a dictionary": "import app\n\nvars(app).update(isinstance=is_plain)\n",
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


@pytest.mark.parametrize("name", REACHING)
def test_what_the_program_hands_on_is_the_thing_itself(name: str) -> None:
    """A module of the program or the library is no way round to a module that it imports."""
    imports, call, capability = REACHING[name]
    before = "def is_plain(value):\n    return not callable(value)\n"
    after = f"{imports}{before}\n\ndef reach(value):\n    return {call}\n"
    assert capability in findings(before, after, frozenset({"app"})).refused


def test_a_module_of_the_program_may_have_any_name() -> None:
    """What the program calls ``code`` or ``types`` is its own."""
    after = "from app import code, types\nfrom . import trace\nimport app.site\n" + LIBRARY
    after += (
        "\n\ndef read(value):\n    return code.lines(types.Line, trace.depth, app.site.name, value.code)\n"
    )
    assert findings(LIBRARY, after, frozenset({"app"})).refused == ()


@pytest.mark.parametrize("name", PRETENDING)
def test_no_value_may_equal_everything(name: str) -> None:
    """A plain type with other comparisons is refused, however it gets them."""
    assert findings(LIBRARY, f"{LIBRARY}\n\n{PRETENDING[name]}").refused


def test_a_plain_type_may_have_methods() -> None:
    """A method that answers no comparison is harmless, and so is a local variable of a method."""
    after = LIBRARY + (
        "\n\nclass Name(str):\n    kind = 'name'\n    def shown(self):\n        __eq__ = self.kind\n"
        "        return __eq__\n    read = lambda self: (__eq__ := self.kind)\n\n\n"
        "Safe = type('Safe', (str,), {'shown': Name.shown})\n"
        "kind = type(Safe)\nCLASSES = dict(Name=type('Name', (Exception,), {}))\n"
    )
    assert findings(LIBRARY, after).refused == ()
