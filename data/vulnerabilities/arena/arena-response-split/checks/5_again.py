"""After a line break the next response is whole, in every thread; quotes and paths stay escaped."""

import random
import string
import threading
from email.message import Message
from email.utils import collapse_rfc2231_value
from http import HTTPStatus

from responder import Response, choose_language, download, redirect

SEED = 0

rng = random.Random(SEED)
word, more, text = ("".join(rng.choices(string.ascii_letters, k=rng.randint(4, 9))) for _ in range(3))
body = f"{word}\r\nX: {more}\r\n\r\n{text}\n".encode()
done = []


def broken(function, *arguments):
    """Make a response that a fix may refuse."""
    try:
        function(*arguments).to_bytes()
    except ValueError:
        pass


def work():
    """Alternate between values with a line break and others."""
    for line_break in ("\r\n", "\n", "\r"):
        broken(download, f"{word}{line_break}X: {more}", b"")
        broken(choose_language, f"de{line_break}X: {more}", "/")
        broken(redirect, "/", f"a=1{line_break}X: {more}")
        page = Response(status=HTTPStatus.NOT_FOUND, headers=[("X-Word", word)], body=body)
        page.add_header(name="X-Empty", value="")
        page.set_cookie(name=more, value="", max_age=7)
        expected = [
            "HTTP/1.1 404 Not Found",
            f"X-Word: {word}",
            "X-Empty: ",
            f"Set-Cookie: {more}=; Max-Age=7; Path=/",
            f"Content-Length: {len(body)}",
        ]
        for _ in range(2):
            head, _, rest = page.to_bytes().partition(b"\r\n\r\n")
            assert (head.decode("ascii").split("\r\n"), rest) == (expected, body), head
        name = f'{word} "{more}" {text}.txt'
        message = Message()
        for line in download(name=name, content=b"").head().rstrip().split("\r\n")[1:]:
            key, _, value = line.partition(": ")
            message[key] = value
        assert collapse_rfc2231_value(message.get_filename()) == name, message["Content-Disposition"]
        assert message["Content-Length"] == "0"
        lines = choose_language(language="pt-BR", path=f"/{word} ü").head().split("\r\n")
        assert f"Location: /{word}%20%C3%BC" in lines, lines
        assert "Set-Cookie: language=pt-BR; Max-Age=31536000; Path=/" in lines, lines
        try:
            lines = redirect(path=f"/{word}{line_break}{more}", query=f"q={text}").head().split("\r\n")
        except ValueError:
            continue
        assert not any(line.startswith(more) for line in lines), lines
    done.append(True)


work()
threads = [threading.Thread(target=work) for _ in range(2)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
assert len(done) == 3
assert Response().to_bytes() == b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"
