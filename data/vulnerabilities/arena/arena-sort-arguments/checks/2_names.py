"""Names may hold blanks, hyphens, equals signs and quotes, and lie in folders."""

from pathlib import Path

from reports import report

folder = Path("north-east/2024")
folder.mkdir(parents=True)
names = ["my list.txt", "a--output=b.txt", "it's.txt", "x -o y.txt", "north-east/2024/-o.txt", "größe.txt"]
for name in names:
    Path(name).write_text(f"{len(name)}\n", encoding="utf-8")
absolute = str(folder.absolute() / "-o.txt")
result = report([*names, absolute])
assert set(result.lines) == {str(len(name)) for name in names}
assert result.counts == dict.fromkeys([*names, absolute], 1)
