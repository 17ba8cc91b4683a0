"""Decode the bodies of uploads."""

import gzip
import zlib

MAX_BODY = 1_000_000
MAX_CODINGS = 3


class BodyError(Exception):
    """A body that is not accepted, with the status of the answer."""

    def __init__(self, status, text):
        super().__init__(text)
        self.status = status


def gunzip(data):
    """Return the content of gzip data, which may have several members."""
    try:
        return gzip.decompress(data)
    except (OSError, EOFError, zlib.error) as error:
        raise BodyError(400, f"broken gzip data: {error}") from None


def inflate(data):
    """Return the content of deflate data, with the zlib header or, as some clients send it, without."""
    for bits in (zlib.MAX_WBITS, -zlib.MAX_WBITS):
        decoder = zlib.decompressobj(bits)
        try:
            content = decoder.decompress(data) + decoder.flush()
        except zlib.error:
            continue
        if decoder.eof:
            return content
    raise BodyError(400, "broken deflate data")


DECODERS = {"gzip": gunzip, "x-gzip": gunzip, "deflate": inflate, "identity": bytes}


def codings(header):
    """Return the codings of a Content-Encoding header, in the order in which they were applied."""
    names = [name.strip().lower() for name in header.split(",") if name.strip()]
    for name in names:
        if name not in DECODERS:
            raise BodyError(415, f"unknown coding {name!r}")
    if len(names) > MAX_CODINGS:
        raise BodyError(415, "too many codings")
    return names


def decode_body(data, header=""):
    """Return the body of an upload, decoded by its Content-Encoding header."""
    if len(data) > MAX_BODY:
        raise BodyError(413, "the body is too long")
    for name in reversed(codings(header)):
        data = DECODERS[name](data)
    if len(data) > MAX_BODY:
        raise BodyError(413, "the body is too long")
    return data


def decode_form(data, header="", charset="utf-8"):
    """Return the fields of a form of lines `name=value`."""
    fields = {}
    for line in decode_body(data, header).decode(charset, "replace").splitlines():
        name, found, value = line.partition("=")
        if found:
            fields[name.strip()] = value.strip()
    return fields
