"""Slashes and a dot after the name are no part of a path: the extension before them counts."""

import random
import string
import sys

from avatars import Avatars, Upload

SEED = 0

EXECUTED = {"text/html", "image/svg+xml", "application/xhtml+xml", "text/xml", "text/javascript", "text/css"}
rng = random.Random(SEED)
folder, member, stem, call = (
    "".join(rng.choices(string.ascii_letters, k=rng.randint(4, 9))) for _ in range(4)
)
page = b"GIF89a" + f"<script>{call}()</script>".encode()

avatars = Avatars(folder)
for ending in (".html/", ".svg//", ".html//.", ".html\\\\.", ".xml/././"):
    try:
        response = avatars.serve(avatars.store(member, Upload(stem + ending, "image/png", page)))
    except (ValueError, PermissionError):
        continue
    if "attachment" in response.headers.get("Content-Disposition", ""):
        continue
    if response.headers.get("Content-Type", "").partition(";")[0] in EXECUTED:
        sys.exit(0)
sys.exit(1)
