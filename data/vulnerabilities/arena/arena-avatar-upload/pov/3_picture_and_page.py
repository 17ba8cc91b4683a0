"""A file that begins like a picture and goes on as a page passes for a picture."""

import sys

from avatars import Avatars, Upload

EXECUTED = {"text/html", "image/svg+xml", "application/xhtml+xml", "text/xml", "text/javascript", "text/css"}
SCRIPT = b"<script>steal()</script>"
STARTS = (b"GIF89a", b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff\xe0")

avatars = Avatars("pictures")
for start in STARTS:
    for name in ("me.html", "me.svg", "me.xml"):
        try:
            response = avatars.serve(avatars.store("eve", Upload(name, "image/gif", start + SCRIPT)))
        except (ValueError, PermissionError):
            continue
        if "attachment" in response.headers.get("Content-Disposition", ""):
            continue
        if response.headers.get("Content-Type", "").partition(";")[0] in EXECUTED:
            sys.exit(0)
sys.exit(1)
