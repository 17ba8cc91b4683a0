"""SVG, XHTML, XML and scripts run in a browser as well, under extensions in any case."""

import sys

from avatars import Avatars, Upload

EXECUTED = {"text/html", "image/svg+xml", "application/xhtml+xml", "text/xml", "text/javascript", "text/css"}
PAGE = b"<svg xmlns='http://www.w3.org/2000/svg'><script>steal()</script></svg>"

avatars = Avatars("pictures")
for name, kind in (
    ("me.svg", "image/svg+xml"),
    ("me.HtM", "image/png"),
    ("me.xhtml", "image/gif"),
    ("me.xml", "image/jpeg"),
    ("me.png.js", "image/png"),
    ("me.mjs", "image/png"),
):
    try:
        response = avatars.serve(avatars.store("eve", Upload(name, kind, PAGE)))
    except (ValueError, PermissionError):
        continue
    if "attachment" in response.headers.get("Content-Disposition", ""):
        continue
    if response.headers.get("Content-Type", "").partition(";")[0] in EXECUTED and PAGE in response.body:
        sys.exit(0)
sys.exit(1)
