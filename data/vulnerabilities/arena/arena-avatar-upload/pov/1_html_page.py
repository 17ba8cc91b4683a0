"""A page declared as image/png is served as text/html."""

import sys

from avatars import Avatars, Upload

PAGE = b"<script>steal()</script>"

avatars = Avatars("pictures")
try:
    path = avatars.store("eve", Upload("me.html", "image/png", PAGE))
except (ValueError, PermissionError):
    sys.exit(1)
response = avatars.serve(path)
kind = response.headers.get("Content-Type", "")
shown = response.status == 200 and kind.startswith("text/html") and PAGE in response.body
sys.exit(0 if shown and "attachment" not in response.headers.get("Content-Disposition", "") else 1)
