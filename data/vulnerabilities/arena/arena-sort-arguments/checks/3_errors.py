"""Missing files and too many of them are a ReportError; the next report is made, reversed where asked for."""

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
Path("b.txt").write_text("c\nb\n", encoding="utf-8")
assert report(["a.txt", "b.txt"]).lines == ("a", "b", "c")
assert report(["a.txt"] * 20, reverse=True).lines == sorted_lines(["a.txt"], True) == ("a",)
assert sorted_lines(["b.txt", "a.txt"], reverse=True) == ("c", "b", "a")
