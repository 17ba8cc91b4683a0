"""File names keep blanks, quotes, semicolons and umlauts, quoted or in the extended form."""

from email.message import Message
from email.utils import collapse_rfc2231_value

from responder import download

for name in (
    "plan.pdf",
    "my plan (v2); final.pdf",
    'the "big" plan.pdf',
    "übersicht.pdf",
    "Set-Cookie: a.txt",
):
    raw = download(name, b"content").to_bytes()
    head, _, body = raw.partition(b"\r\n\r\n")
    assert body == b"content"
    message = Message()
    for line in head.decode("utf-8").split("\r\n")[1:]:
        key, _, value = line.partition(": ")
        message[key] = value
    assert message["Content-Length"] == "7"
    assert message["Content-Disposition"].startswith("attachment")
    assert collapse_rfc2231_value(message.get_filename()) == name, message["Content-Disposition"]
