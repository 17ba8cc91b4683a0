"""A report merges the files, drops repeated lines and counts the lines of each file."""

from pathlib import Path

from reports import report

Path("a.txt").write_text("pear\napple\npear\n", encoding="utf-8")
Path("b.txt").write_text("fig\napple\nZoë\n", encoding="utf-8")
result = report(["a.txt", "b.txt"])
assert result.lines == ("Zoë", "apple", "fig", "pear")
assert result.counts == {"a.txt": 3, "b.txt": 3}
assert report(["a.txt", "b.txt"], reverse=True).lines == ("pear", "fig", "apple", "Zoë")
