"""A directory of people with filters in the style of LDAP (RFC 4515)."""

import re

TOKEN = re.compile(r"([A-Za-z]+)=([^()]*)\)")


class FilterError(ValueError):
    """A filter that cannot be read."""


def parse(text, start=0):
    """Return the filter that begins at start as a nested tuple, and where it ends."""
    if text[start : start + 1] != "(":
        raise FilterError(f"expected ( at {start} of {text!r}")
    sign = text[start + 1 : start + 2]
    if sign in ("&", "|", "!"):
        position, parts = start + 2, []
        while text[position : position + 1] == "(":
            part, position = parse(text, position)
            parts.append(part)
        if text[position : position + 1] != ")" or not parts:
            raise FilterError(f"expected ) at {position} of {text!r}")
        return (sign, parts), position + 1
    match = TOKEN.match(text, start + 1)
    if not match:
        raise FilterError(f"expected attribute=value at {start + 1} of {text!r}")
    return ("=", match[1], match[2]), match.end()


def unescape(text):
    r"""Return the text with escapes such as \2a decoded."""
    return re.sub(r"\\([0-9a-fA-F]{2})", lambda match: chr(int(match[1], 16)), text)


def matches(condition, entry):
    """Tell whether an entry, a dictionary of texts, satisfies a parsed filter."""
    match condition:
        case ("&", parts):
            return all(matches(part, entry) for part in parts)
        case ("|", parts):
            return any(matches(part, entry) for part in parts)
        case ("!", parts):
            return not matches(parts[0], entry)
        case ("=", attribute, pattern):
            pieces = [re.escape(unescape(piece).lower()) for piece in pattern.split("*")]
            value = entry.get(attribute)
            return value is not None and re.fullmatch(".*".join(pieces), value.lower(), re.DOTALL) is not None
    raise FilterError(f"unknown condition {condition!r}")


class Directory:
    """People, each a dictionary with at least cn (name), badge, pin and kind."""

    def __init__(self, entries):
        self._entries = [dict(entry) for entry in entries]

    def search(self, text):
        """Return the entries that satisfy the filter."""
        condition, end = parse(text)
        if end != len(text):
            raise FilterError(f"unexpected text at {end} of {text!r}")
        return [entry for entry in self._entries if matches(condition, entry)]

    def open_door(self, badge, pin):
        """Return the name of the person with this badge and PIN, or None."""
        found = self.search(f"(&(badge={badge})(pin={pin}))")
        return found[0]["cn"] if found else None

    def find_people(self, part):
        """Return the names of the staff that contain the part, in order."""
        found = self.search(f"(&(kind=staff)(cn=*{part}*))")
        return sorted(entry["cn"] for entry in found)
