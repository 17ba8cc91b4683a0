"""Folder and name may be paths, as a walk over a folder gives them."""

from pathlib import Path

from logstats import count_lines, newest_lines, summarise

folder = Path("logs")
(folder / "web").mkdir(parents=True, exist_ok=True)
(folder / "web" / "a.log").write_text("GET /\nPOST /\n", encoding="utf-8")
(folder / "b.log").write_text("GET /\n", encoding="utf-8")
names = sorted(log.relative_to(folder) for log in folder.rglob("*.log"))
assert [str(name) for name in names] == ["b.log", "web/a.log"]
for name, counts in zip(names, ({"GET": 1, "POST": 0}, {"GET": 1, "POST": 1}), strict=True):
    summary = summarise(folder, name, ["GET", "POST"])
    assert summary.counts == counts and summary.newest == newest_lines(folder / name)
    assert count_lines(folder / name, "GET") == 1
