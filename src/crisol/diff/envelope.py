"""Decode a diff that was sent in a mail, in UTF-16 or in an indented Markdown code block."""

from __future__ import annotations

import binascii
import codecs
import re
from dataclasses import dataclass

from crisol.errors import DiffTooLarge, MalformedDiff, UnsupportedDiff

__all__ = ["DiffLimits", "unwrapped"]

_ENCODED = re.compile(
    r"^content-transfer-encoding:[ \t]*(quoted-printable|base64)[ \t]*\r?$", re.IGNORECASE | re.MULTILINE
)
_MULTIPART = re.compile(r"^content-type:[ \t]*multipart/", re.IGNORECASE | re.MULTILINE)
_CHARSET = re.compile(r"charset=\"?([\w-]{1,40})", re.IGNORECASE)
_BOUNDARY = re.compile(r"boundary=(?:\"([^\"]{1,100})\"|([^\s;]{1,100}))", re.IGNORECASE)
_HEADER = re.compile(r"[!-9;-~]{1,60}:|[ \t]")
_FENCE = re.compile(r"( {1,16})(`{3,}|~{3,})[\w-]{0,20}[ \t]*\r?$")
_DIFF = ("diff --git ", "diff -", "--- ", "Index: ", "From ")


@dataclass(frozen=True, slots=True)
class DiffLimits:
    """The largest sizes of a diff that the parser accepts.

    ``bytes`` and ``lines`` limit the whole text, ``files`` the number of changed files, ``hunks`` the number
    of hunks. ``line_characters`` limits each line.
    """

    bytes: int = 1 << 20
    files: int = 200
    hunks: int = 2_000
    lines: int = 50_000
    line_characters: int = 65_536


def unwrapped(text: str | bytes, limits: DiffLimits) -> list[str]:
    """Decode the text in which a diff was sent, and return its lines without line feeds.

    ``text`` is untrusted. UTF-8, UTF-16 with a byte-order mark, and mails in quoted-printable or base64 are
    decoded. If the header of a hunk ends with CRLF, the carriage returns at the ends of all lines are
    removed. The indentation of a Markdown code block is removed, too. Text around the diff, such as mail
    headers and the fences of code blocks, stays. Bytes that are not UTF-8 become lone surrogates, which the
    parser refuses inside hunks. Raises :class:`~crisol.errors.DiffTooLarge` if the text exceeds the
    ``bytes``, ``lines`` or ``line_characters`` of ``limits``, :class:`~crisol.errors.UnsupportedDiff` for a
    NUL character, and :class:`~crisol.errors.MalformedDiff` for a text that cannot be decoded.
    """
    if len(text) > limits.bytes:
        raise DiffTooLarge(f"the diff has more than {limits.bytes} bytes; send the hunks that matter")
    if isinstance(text, bytes):
        text = _decode(text)
    elif not text.isascii() and len(text.encode(errors="surrogatepass")) > limits.bytes:
        raise DiffTooLarge(f"the diff has more than {limits.bytes} bytes; send the hunks that matter")
    text = text.removeprefix("\ufeff")
    if "\0" in text:
        line = text.count("\n", 0, text.index("\0")) + 1
        raise UnsupportedDiff("a NUL character: binary content cannot be wargamed", line=line)
    lines = text.split("\n")
    if lines[-1] == "":
        lines.pop()
    if len(lines) > limits.lines:
        raise DiffTooLarge(f"the diff has more than {limits.lines} lines")
    # Both headers begin alike, and a plain search is twenty times as fast as either pattern.
    if "content-t" in text.lower() and (_ENCODED.search(text) or _MULTIPART.search(text)):
        lines = _mail(lines)
        text = "\n".join(lines)
        if "\0" in text:
            raise UnsupportedDiff("a NUL character in the mail: binary content cannot be wargamed")
        if len(lines) > limits.lines:
            raise DiffTooLarge(f"the mail has more than {limits.lines} lines")
    longest = limits.line_characters
    if len(text) > longest and max(map(len, lines), default=0) > longest:
        raise DiffTooLarge(f"a line has more than {longest} characters")
    if " ```" in text or " ~~~" in text:
        lines = _without_indentation(lines)
    if "\r" in text and any(line.startswith("@@ ") and line.endswith("\r") for line in lines):
        # A mail or a browser turned every line feed into CRLF; a CRLF file in a git diff has LF headers.
        lines = [line.removesuffix("\r") for line in lines]
    return lines


def _decode(content: bytes) -> str:
    # PowerShell writes UTF-16 when it redirects the output of a command to a file.
    if content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        try:
            return content.decode("utf-16")
        except UnicodeDecodeError:
            raise MalformedDiff("neither UTF-8 nor whole UTF-16; recode the diff", line=1) from None
    return content.decode(errors="surrogateescape")


def _mail(lines: list[str]) -> list[str]:
    """Return the lines of mails with the encoded bodies decoded, and those of any other text unchanged.

    A line that separates the parts of a multipart mail becomes empty. Raises
    :class:`~crisol.errors.MalformedDiff` for a body that cannot be decoded.
    """
    out: list[str] = []
    body: list[str] = []
    boundaries: set[str] = set()
    encoding = charset = ""
    at, in_header = 0, bool(lines) and bool(_HEADER.match(lines[0]) or lines[0].startswith("From "))
    headers: list[str] = []

    def close() -> None:
        out.extend(_body(body, encoding, charset))
        body.clear()

    for at, raw in enumerate(lines):
        line = raw.rstrip("\r")
        starts = line.startswith("From ") and at + 1 < len(lines) and _HEADER.match(lines[at + 1])
        if line.rstrip("-") in boundaries or (starts and not in_header):
            close()
            out.append("" if line.startswith("--") else line)
            in_header, encoding, charset = not line.endswith("--"), "", ""
            headers.clear()
        elif in_header:
            out.append(line)
            headers.append(line)
            if not line.strip():
                in_header = False
                block = "\n".join(headers)
                named = _ENCODED.search(block)
                encoding = named[1].lower() if named else ""
                charset = m[1] if (m := _CHARSET.search(block)) else ""
                if bound := _BOUNDARY.search(block):
                    boundaries.add(f"--{bound[1] or bound[2]}".rstrip("-"))
        else:
            body.append(raw)
    close()
    return out


def _body(lines: list[str], encoding: str, charset: str) -> list[str]:
    if not encoding:
        return lines
    try:
        content = "\n".join(lines).encode(errors="surrogateescape")
        plain = binascii.a2b_base64(content) if encoding == "base64" else binascii.a2b_qp(content)
    except (binascii.Error, UnicodeEncodeError) as error:
        raise MalformedDiff(f"a mail whose {encoding} body cannot be decoded: {error}") from None
    try:
        text = plain.decode(charset or "utf-8", errors="surrogateescape")
    except (LookupError, UnicodeError):
        text = plain.decode(errors="surrogateescape")
    return text.replace("\r\n", "\n").removesuffix("\n").split("\n")


def _without_indentation(lines: list[str]) -> list[str]:
    """Return the lines without the indentation of Markdown code blocks that hold a diff, as in a list."""
    out: list[str] = []
    indent, fence = 0, ""
    for at, line in enumerate(lines):
        if fence:
            width = min(indent, len(line) - len(line.lstrip(" ")))
            line = line[width:]  # noqa: PLW2901 - the rest of the line
            if line.startswith(fence):
                fence = ""
        elif match := _FENCE.match(line):
            first = lines[at + 1] if at + 1 < len(lines) else ""
            # A fence in a hunk of a README is content; no diff follows it.
            if first.startswith(match[1]) and first[len(match[1]) :].startswith(_DIFF):
                indent, fence = len(match[1]), match[2]
                line = line[indent:]  # noqa: PLW2901 - the rest of the line
        out.append(line)
    return out
