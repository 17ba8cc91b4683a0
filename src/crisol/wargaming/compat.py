"""Put back the standard-library names that Python 3.10 and 3.11 removed, so that old releases import.

Executed inside the sandbox before a target is loaded, as source; nothing that bears on security changes.
"""

import collections
import collections.abc
import inspect
import re

for _name in collections.abc.__all__:
    if not hasattr(collections, _name):
        setattr(collections, _name, getattr(collections.abc, _name))


def _getargspec(function):
    spec = inspect.getfullargspec(function)
    return inspect.ArgSpec(spec.args, spec.varargs, spec.varkw, spec.defaults)


def _formatargspec(
    args, varargs=None, varkw=None, defaults=None, kwonlyargs=(), kwonlydefaults=None, **_rest
):
    kind = inspect.Parameter
    first = len(args) - len(defaults or ())
    parameters = [
        kind(
            name,
            kind.POSITIONAL_OR_KEYWORD,
            default=defaults[at - first] if defaults and at >= first else kind.empty,
        )
        for at, name in enumerate(args)
    ]
    if varargs:
        parameters.append(kind(varargs, kind.VAR_POSITIONAL))
    parameters += [
        kind(name, kind.KEYWORD_ONLY, default=(kwonlydefaults or {}).get(name, kind.empty))
        for name in kwonlyargs
    ]
    if varkw:
        parameters.append(kind(varkw, kind.VAR_KEYWORD))
    return str(inspect.Signature(parameters))


if not hasattr(inspect, "getargspec"):
    inspect.ArgSpec = collections.namedtuple("ArgSpec", "args varargs keywords defaults")
    inspect.getargspec = _getargspec
if not hasattr(inspect, "formatargspec"):
    inspect.formatargspec = _formatargspec

_compile = re._compile


def _lenient(pattern, flags):
    """Accept inline global flags anywhere, as Python 3.10 did."""
    try:
        return _compile(pattern, flags)
    except re.error as error:
        if "global flags not at the start" not in str(error) or not isinstance(pattern, str):
            raise
        inline = re.compile(r"\(\?([aiLmsux]+)\)")
        letters = "".join(sorted(set("".join(inline.findall(pattern)))))
        return _compile(f"(?{letters})" + inline.sub("", pattern), flags)


re._compile = _lenient
