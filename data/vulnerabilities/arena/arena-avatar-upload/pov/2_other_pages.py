"""SVG, XHTML, XML and scripts run in a browser as well, under extensions in any case."""

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
page = f"<svg xmlns='http://www.w3.org/2000/svg' onload='{call}()'/>".encode()

avatars = Avatars(folder)
for ending in ("svg", "HtM", "xhtml", "xml", "png.js", "mjs"):
    declared = "image/" + rng.choice(("svg+xml", "png", "gif", "jpeg"))
    try:
        response = avatars.serve(avatars.store(member, Upload(f"{stem}.{ending}", declared, page)))
    except (ValueError, PermissionError):
        continue
    if "attachment" in response.headers.get("Content-Disposition", ""):
        continue
    if response.headers.get("Content-Type", "").partition(";")[0] in EXECUTED and page in response.body:
        sys.exit(0)
sys.exit(1)
