"""Slashes and a dot after the name are no part of a path, so the extension before them is the one that counts."""

import sys

from avatars import Avatars, Upload

EXECUTED = {"text/html", "image/svg+xml", "application/xhtml+xml", "text/xml", "text/javascript", "text/css"}
PAGE = b"GIF89a<script>steal()</script>"

avatars = Avatars("pictures")
for name in ("me.html/", "me.svg//", "me.html//.", "me.html\\\\.", "me.xml/././"):
    try:
        response = avatars.serve(avatars.store("eve", Upload(name, "image/png", PAGE)))
    except (ValueError, PermissionError):
        continue
    if "attachment" in response.headers.get("Content-Disposition", ""):
        continue
    if response.headers.get("Content-Type", "").partition(";")[0] in EXECUTED:
        sys.exit(0)
sys.exit(1)
