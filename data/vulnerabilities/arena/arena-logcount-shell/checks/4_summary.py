"""The summary names the log, the counts and the newest lines; an empty log has none."""

from pathlib import Path

from logstats import summarise

logs = Path.cwd() / "logs"
logs.mkdir()
(logs / "web-1.log").write_text("GET /\nPOST /\nGET /a\n", encoding="utf-8")
(logs / "empty.log").write_text("", encoding="utf-8")
summary = summarise(logs, "web-1.log", ["GET", "POST", "PUT"], amount=1)
assert summary.log == "web-1.log"
assert summary.counts == {"GET": 2, "POST": 1, "PUT": 0}
assert summary.newest == ("GET /a",)
assert summarise("logs", "empty.log", ["GET"]).newest == ()
