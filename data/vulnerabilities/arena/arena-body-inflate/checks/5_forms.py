"""The fields of a form are read from any coding."""

import gzip

from bodies import decode_form

form = "name = Zoë\nwords=a=b\nno field\n"
assert decode_form(form.encode()) == {"name": "Zoë", "words": "a=b"}
assert decode_form(gzip.compress(form.encode("latin-1")), "gzip", "latin-1") == {
    "name": "Zoë",
    "words": "a=b",
}
