"""A file that begins like a picture and goes on as a page passes for a picture."""

import random
import string
import sys

from avatars import Avatars, Upload

SEED = 0

EXECUTED = {"text/html", "image/svg+xml", "application/xhtml+xml", "text/xml", "text/javascript", "text/css"}
STARTS = (b"GIF89a", b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff\xe0")
rng = random.Random(SEED)
folder, member, stem, call = (
    "".join(rng.choices(string.ascii_letters, k=rng.randint(4, 9))) for _ in range(4)
)
script = (
    rng.choice(("<script>{}()</script>", "<body onload={}()>", "<a href=javascript:{}()>"))
    .format(call)
    .encode()
)

avatars = Avatars(folder)
for start in STARTS:
    for ending in (".html", ".svg", ".xml"):
        try:
            upload = Upload(stem + ending, "image/gif", start + rng.randbytes(8) + script)
            response = avatars.serve(avatars.store(member, upload))
        except (ValueError, PermissionError):
            continue
        if "attachment" in response.headers.get("Content-Disposition", ""):
            continue
        if response.headers.get("Content-Type", "").partition(";")[0] in EXECUTED:
            sys.exit(0)
sys.exit(1)
