"""An empty file has no lines; bytes that are no text are replaced; the files stay as they were."""

from pathlib import Path

from reports import count_lines, report

Path("empty.txt").touch()
Path("odd.bin").write_bytes(b"\xff\xfe\nb\n")
result = report(["empty.txt", "odd.bin"])
assert result.counts == {"empty.txt": 0, "odd.bin": 2}
assert result.lines == ("b", "\ufffd\ufffd")
assert count_lines("odd.bin") == 2
assert Path("odd.bin").read_bytes() == b"\xff\xfe\nb\n"
assert sorted(path.name for path in Path().iterdir()) == ["empty.txt", "odd.bin"]
