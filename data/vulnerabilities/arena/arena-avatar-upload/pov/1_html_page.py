"""A page declared as a picture is served as text/html."""

import random
import string
import sys

from avatars import Avatars, Upload

SEED = 0

rng = random.Random(SEED)
folder, member, stem, call = (
    "".join(rng.choices(string.ascii_letters, k=rng.randint(4, 9))) for _ in range(4)
)
page = (
    rng.choice(("<script>{}()</script>", "<img src=x onerror={}()>", "<body onload={}()>"))
    .format(call)
    .encode()
)
declared = "image/" + rng.choice(("png", "gif", "jpeg", "webp"))

avatars = Avatars(folder)
try:
    path = avatars.store(member, Upload(stem + rng.choice((".html", ".htm")), declared, page))
except (ValueError, PermissionError):
    sys.exit(1)
response = avatars.serve(path)
kind = response.headers.get("Content-Type", "")
shown = response.status == 200 and kind.startswith("text/html") and page in response.body
sys.exit(0 if shown and "attachment" not in response.headers.get("Content-Disposition", "") else 1)
