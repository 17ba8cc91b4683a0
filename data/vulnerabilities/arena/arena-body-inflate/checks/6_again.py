"""After a refused body the next one is decoded, in every thread; empty bodies, arguments by keyword and charsets work."""

import gzip
import threading
import zlib

from bodies import MAX_BODY, BodyError, decode_body, decode_form

packed = {"gzip": gzip.compress(b"a=1"), "deflate": zlib.compress(b"a=1")}
bare = zlib.compressobj(wbits=-zlib.MAX_WBITS)
packed["DEFLATE "] = bare.compress(b"a=1") + bare.flush()
results = []


def work():
    """Send what is refused, and then what is not."""
    for data, header, status in (
        (packed["gzip"][:-9], "gzip", 400),
        (packed["deflate"][:-3], "deflate", 400),
        (b"a=1", "br", 415),
        (b"a=1", "gzip, gzip, gzip, gzip", 415),
        (bytes(MAX_BODY + 1), "", 413),
        (gzip.compress(bytes(MAX_BODY + 1)), "gzip", 413),
        (zlib.compress(bytes(MAX_BODY + 1)), "deflate", 413),
        (b"", "gzip, x", 415),
        (b"", "deflate", 400),
    ):
        try:
            decode_body(data, header)
        except BodyError as error:
            assert error.status == status, (header, error.status)
            continue
        raise AssertionError(header)
    results.extend(decode_form(data=data, header=header) for header, data in packed.items())


work()
threads = [threading.Thread(target=work) for _ in range(2)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
assert results == [{"a": "1"}] * 9
assert decode_body(b"") == decode_body(gzip.compress(b""), "gzip") == decode_body(zlib.compress(b""), "deflate") == b""
assert decode_form(gzip.compress("ort=Köln".encode("latin-1")), "gzip", charset="latin-1") == {"ort": "Köln"}
assert decode_body(gzip.compress(zlib.compress(b"x")), " deflate , , x-gzip") == b"x"
