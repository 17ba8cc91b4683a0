"""Sets of words from which a model recognises the purpose of code in a patch, in any programming language.

Every word is in lower case. Callers look up a name such as ``isSafePath`` or ``is_safe_path`` both as a whole
and by its parts.
"""

from __future__ import annotations

from types import MappingProxyType

__all__ = [
    "AFTER_CONSTANT",
    "ANDS",
    "ARITHMETIC",
    "BOOLEANS",
    "BOUNDS",
    "BRANCHES",
    "BROAD",
    "CASES",
    "CATCHES",
    "CLASSIC_VALIDATION",
    "COMPARISONS",
    "CONSTANTS",
    "EMPTY",
    "EXITS",
    "FAMILIES",
    "FILTERS",
    "HANDLERS",
    "IMPORTS",
    "LEAVES",
    "LOGIC",
    "LOOPS",
    "MARKS",
    "MEANT",
    "NEGATIONS",
    "NOTHING",
    "OPERATORS",
    "ORDERINGS",
    "PREFIXES",
    "RAISES",
    "REGEX_MARKS",
    "REMEDIES",
    "SINKS",
    "TESTS",
    "VALIDATION",
    "family",
]

IMPORTS = ("import ", "from ", "#include", "using ", "require(", "use ")
"""The beginnings of lines that import or include another file."""

VALIDATION = frozenset(
    [
        "valid",
        "validate",
        "validated",
        "validation",
        "check",
        "checked",
        "verify",
        "verified",
        "sanitize",
        "sanitise",
        "sanitizer",
        "clean",
        "escape",
        "escaped",
        "quote",
        "quoted",
        "filter",
        "allowed",
        "allow",
        "allowlist",
        "whitelist",
        "blacklist",
        "denylist",
        "deny",
        "forbidden",
        "reject",
        "safe",
        "unsafe",
        "secure",
        "trusted",
        "permitted",
        "isinstance",
        "instanceof",
        "assert",
        "require",
        "ensure",
        "guard",
    ]
)
CLASSIC_VALIDATION = VALIDATION & {
    "valid",
    "validate",
    "check",
    "verify",
    "sanitize",
    "escape",
    "isinstance",
    "assert",
}
SINKS = frozenset(
    [
        "eval",
        "exec",
        "execfile",
        "compile",
        "system",
        "popen",
        "popen2",
        "subprocess",
        "spawn",
        "shell",
        "execute",
        "executemany",
        "executescript",
        "raw",
        "query",
        "pickle",
        "unpickle",
        "loads",
        "load",
        "marshal",
        "yaml",
        "deserialize",
        "readobject",
        "open",
        "unlink",
        "rmtree",
        "remove",
        "extract",
        "extractall",
        "symlink",
        "redirect",
        "render",
        "template",
        "innerhtml",
        "mark_safe",
        "urlopen",
        "request",
        "fetch",
        "connect",
        "strcpy",
        "strcat",
        "sprintf",
        "memcpy",
        "gets",
        "malloc",
        "free",
        "alloca",
        "getattr",
        "setattr",
        "import_module",
        "__import__",
        "processbuilder",
        "runtime",
    ]
)
FILTERS = frozenset(["replace", "replaceall", "strip", "lstrip", "rstrip", "sub", "trim", "translate"])
PREFIXES = frozenset(
    ["startswith", "endswith", "contains", "find", "search", "match", "fullmatch", "indexof"]
)
CASES = frozenset(["lower", "upper", "casefold", "tolowercase", "touppercase"])
BRANCHES = frozenset(["if", "elif", "else", "switch", "case", "match", "when", "unless"])
LOOPS = frozenset(["for", "while", "do", "foreach", "until"])
EXITS = frozenset(["return", "break", "continue", "goto", "exit", "abort"])
TESTS = frozenset(["if", "elif", "while"])
LEAVES = frozenset(["return", "raise", "throw", "continue", "break", "goto", "abort"])
HANDLERS = frozenset(["except", "catch"])
MARKS = TESTS | LEAVES | HANDLERS | {"("}
RAISES = frozenset(["raise", "throw", "throws", "panic", "abort", "die"])
CATCHES = frozenset(["try", "except", "catch", "finally", "rescue", "ensure"])
LOGIC = frozenset(["and", "or", "&&", "||"])
ANDS = frozenset(["and", "&&"])
NEGATIONS = frozenset(["not", "!", "!=", "isnot"])
COMPARISONS = frozenset(["==", "!=", "<", ">", "<=", ">=", "in", "is", "===", "!=="])
ORDERINGS = frozenset(["<", ">", "<=", ">="])
ARITHMETIC = frozenset(["+", "-", "*", "/", "%"])
OPERATORS = COMPARISONS | LOGIC | NEGATIONS | ARITHMETIC | frozenset(["&", "|", "^", "~"])
REGEX_MARKS = frozenset("\\^$|?*")
NOTHING = frozenset(["none", "null", "nil", "nullptr", "undefined"])
EMPTY = NOTHING | {";"}
BOOLEANS = frozenset(["true", "false"])
CONSTANTS = BOOLEANS | {"0", "1"}
AFTER_CONSTANT = frozenset([")", ":", "&&", "||", "and", "or"])
BROAD = frozenset([":", "exception", "baseexception", "throwable"])
BOUNDS = frozenset(
    [
        "len",
        "length",
        "size",
        "sizeof",
        "max",
        "min",
        "limit",
        "maximum",
        "minimum",
        "count",
        "strlen",
        "timeout",
        "depth",
    ]
)

_PATH = (
    "realpath resolve abspath normpath commonpath commonprefix basename relative_to is_relative_to "
    "startswith normalize canonical getcanonicalpath secure_filename islink issym islnk isabs samefile "
    "parts traversal"
)
_COMMAND = "shlex quote list2cmdline argv args run check_call shell false"
_MARKUP = "escape quote htmlspecialchars encode markupsafe autoescape sanitize strip nonce html"
_DATABASE = "params parameters bind prepare preparedstatement placeholder placeholders cursor identifier"
_SERIAL = "safe_load safeloader json literal_eval hmac compare_digest find_class allowlist yaml_safe_load"
_REQUEST = (
    "urlparse urlsplit netloc scheme hostname host is_private is_loopback ipaddress allowed_hosts startswith"
)
_HEADER = "crlf newline header strip replace splitlines content transfer length chunked isdigit encode"
_RESOURCE = "max limit timeout len size depth maxsize maximum count fullmatch possessive read"
_ACCESS = (
    "permission permissions authorize authenticated token csrf session owner role compare_digest secrets "
    "chmod mode"
)
_CRYPTO = "secrets token_hex token_urlsafe urandom sha256 sha512 hmac compare_digest verify cert_required tls"
_XML = "defusedxml resolve_entities no_network forbid_dtd entity dtd external feature"
_MEMORY = "sizeof strncpy snprintf null bounds length memset size_t overflow int_max size_max"

_TABLE = (
    ("path", _PATH, (22, 23, 24, 25, 26, 35, 36, 59, 61, 73, 98, 377, 378, 379, 434, 552)),
    ("command", _COMMAND, (74, 77, 78, 88, 94, 95, 96, 1236)),
    ("markup", _MARKUP, (79, 80, 83, 87, 116, 1336)),
    ("database", _DATABASE, (89, 90, 91, 564, 943)),
    ("serial", _SERIAL, (502, 470, 915, 1321)),
    ("request", _REQUEST, (601, 918, 441, 346, 942)),
    ("header", _HEADER, (93, 113, 444, 436, 138, 644)),
    ("resource", _RESOURCE, (400, 407, 409, 674, 730, 770, 776, 789, 834, 835, 1333)),
    (
        "access",
        _ACCESS,
        (200, 209, 264, 269, 284, 285, 287, 306, 352, 384, 276, 532, 613, 639, 732, 862, 863),
    ),
    ("crypto", _CRYPTO, (295, 310, 326, 327, 330, 338, 345, 347, 208, 203, 916)),
    ("xml", _XML, (611, 827, 112)),
    (
        "memory",
        _MEMORY,
        (119, 120, 121, 122, 125, 126, 129, 131, 134, 189, 190, 191, 415, 416, 476, 617, 787, 824),
    ),
)

FAMILIES = tuple(name for name, _, _ in _TABLE)
"""Kinds of weakness that share a remedy, such as ``path``, ``command`` and ``markup``."""

REMEDIES = MappingProxyType({name: frozenset(words.split()) for name, words, _ in _TABLE})
"""The words of the usual fix, by family."""
MEANT = frozenset().union(VALIDATION, SINKS, BOUNDS, FILTERS, PREFIXES, CASES, *REMEDIES.values())
"""All words that are searched for in names and their parts."""

_FAMILY_OF = {number: name for name, _, numbers in _TABLE for number in numbers}


def family(cwe: int) -> str:
    """Return the name of the family of flaws to which a CWE number belongs, such as ``path`` for 22.

    The flaws of one family are mended in similar ways. The tuple :data:`FAMILIES` holds all names. The result
    is "" for a number that belongs to no family.
    """
    return _FAMILY_OF.get(cwe, "")
