"""Two members keep their pictures when an upload is refused, in every thread; limits and folders are where they were."""

import base64
import threading
from pathlib import Path

from avatars import MAX_BYTES, Avatars, Upload, UploadError

GIF = base64.b64decode("R0lGODlhAQABAIAAAAAAAP///yH5BAEAAAAALAAAAAABAAEAAAIBRAA7")
avatars = Avatars("site/avatars")
paths = {name: avatars.store(member=name, upload=Upload("a.gif", "image/gif", GIF)) for name in ("ana", "bo")}
results = []


def work():
    """Upload what is refused, and look at what is there."""
    for upload in (
        Upload("a.gif", "text/html", GIF),
        Upload("a.gif", "", GIF),
        Upload("a.gif", "image/gif", b""),
        Upload("a.gif", "image/gif", GIF + bytes(MAX_BYTES)),
    ):
        try:
            avatars.store("ana", upload)
        except UploadError:
            continue
        raise AssertionError(upload.kind)
    results.append([avatars.serve(path=path) for path in paths.values()])


work()
threads = [threading.Thread(target=work) for _ in range(2)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
for ana, bo in results:
    assert (ana.status, ana.body, ana.headers["Content-Type"]) == (200, GIF, "image/gif")
    assert ana == bo and ana.headers["Cache-Control"] == "max-age=3600"
assert len(list(Path("site/avatars").iterdir())) == 2 and paths["ana"] != paths["bo"]
largest = avatars.store("bo", Upload("b.gif", "image/gif", GIF + bytes(MAX_BYTES - len(GIF))))
assert len(avatars.serve(largest).body) == MAX_BYTES and avatars.serve(paths["bo"]).status == 404
for path in ("", "/avatars/", "/avatars/../avatars.py", "/avatars/" + "0" * 16 + ".gif"):
    assert avatars.serve(path).status == 404, path
