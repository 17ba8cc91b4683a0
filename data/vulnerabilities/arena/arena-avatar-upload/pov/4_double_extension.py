"""The name mentions a picture's extension somewhere, and ends in another one."""

import sys

from avatars import Avatars, Upload

EXECUTED = {"text/html", "image/svg+xml", "application/xhtml+xml", "text/xml", "text/javascript", "text/css"}
PAGE = b"GIF89a<script>steal()</script>"

avatars = Avatars("pictures")
for name in (
    "me.png.html",
    "me.gif.svg",
    ".png/me.html",
    "me.jpg.HTML",
    "png.htm",
    "me.html/.",
    "x\\me.jpeg.html",
):
    try:
        response = avatars.serve(avatars.store("eve", Upload(name, "image/png", PAGE)))
    except (ValueError, PermissionError):
        continue
    if "attachment" in response.headers.get("Content-Disposition", ""):
        continue
    if response.headers.get("Content-Type", "").partition(";")[0] in EXECUTED:
        sys.exit(0)
sys.exit(1)
