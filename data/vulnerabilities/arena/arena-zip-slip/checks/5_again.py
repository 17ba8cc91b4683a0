"""After refused archives the next is installed, in every thread; odd names stay below the folder."""

import json
import random
import string
import threading
import zipfile
from pathlib import Path

from installer import MAX_MEMBERS, InstallError, Plugin, install

SEED = 0

rng = random.Random(SEED)
name, folder, file, outside = (
    f"{letter}{''.join(rng.choices(string.ascii_lowercase, k=rng.randint(3, 8)))}" for letter in "nfio"
)
version, content = str(rng.randint(1, 99)), rng.randbytes(rng.randint(300, 600))
done = []


def pack(path, title, members):
    """Write an archive with a manifest."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("plugin.json", json.dumps({"name": title, "version": version}))
        for member in members:
            archive.writestr(member, b"" if member.endswith("/") else content)


def work(place):
    """Alternate between archives that are refused and others."""
    upload, plugins = f"{place}.zip", Path(place, "deep", "plugins")
    members = [f"{folder}/{file}", f"{folder}/empty/", file]
    for number in range(2):
        pack(upload, f"{name}-out", [file, f"../{outside}"])
        try:
            install(upload, f"{place}-out/{number}")
        except (InstallError, ValueError, OSError):
            pass
        pack(upload, name, members)
        for cut in (0, 100, -1):
            Path(f"{upload}.cut").write_bytes(Path(upload).read_bytes()[:cut])
            try:
                install(f"{upload}.cut", plugins)
            except InstallError:
                continue
            raise AssertionError(cut)
        plugin = install(path=Path(upload), plugins=plugins)
        assert plugin == Plugin(name, version, plugins / name, ("plugin.json", f"{folder}/{file}", file)), (
            plugin
        )
        for path in (plugins / name / folder / file, plugins / name / file):
            assert path.read_bytes() == content
        assert sorted(path.name for path in (plugins / name / folder).iterdir()) == ["empty", file]
    for title in (f"../../{outside}", f"/{outside}", f"{outside.upper()}.d/x"):
        pack(upload, title, [file])
        assert install(upload, str(plugins)).folder.parent == plugins
    assert sorted(path.name for path in plugins.iterdir()) == sorted(
        [name, f"------{outside}", f"-{outside}", f"{outside}-d-x"]
    )
    done.append(place)


work("one")
thread = threading.Thread(target=work, args=("two",))
thread.start()
thread.join()
assert done == ["one", "two"]
pack("many.zip", name, [f"{number}" for number in range(MAX_MEMBERS)])
try:
    install("many.zip", "many")
except InstallError:
    assert not Path("many").exists() or list(Path("many").iterdir()) == []
else:
    raise AssertionError("too many members")
