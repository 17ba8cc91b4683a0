"""Missing files and too many of them are a ReportError."""

from pathlib import Path

from reports import ReportError, count_lines, report, sorted_lines

Path("a.txt").write_text("a\n", encoding="utf-8")
for function, argument in (
    (report, []),
    (report, ["a.txt"] * 21),
    (report, ["a.txt", "absent.txt"]),
    (sorted_lines, ["absent.txt"]),
    (count_lines, "absent.txt"),
):
    try:
        function(argument)
    except ReportError:
        continue
    raise AssertionError(argument)
