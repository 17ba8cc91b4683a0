"""Hostile input against parser, features and the whole application.

What the fuzz script does, a few thousand times.
"""

from __future__ import annotations

import asyncio
import importlib.util
import json
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crisol import diff
from crisol.config import Settings
from crisol.errors import DiffError
from crisol.service.embedded import serve
from crisol.service.responder import Responder
from crisol.service.shield import Shield
from support.http import OFF, ask
from support.served import ROOT, model_folder

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.integration


def test_thousands_of_hostile_diffs_break_no_bound(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Every one is read or refused with 4xx, within bounded time and memory; doubling inputs stay linear."""
    spec = importlib.util.spec_from_file_location(
        "fuzz_diffs", ROOT / "experiments" / "fuzz" / "fuzz_diffs.py"
    )
    assert spec is not None
    assert spec.loader is not None
    fuzz = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(fuzz)
    (tmp_path / "data").symlink_to(ROOT / "data")
    options = Settings(root=tmp_path, model=model_folder(), rate_limits="ml-first=off")
    code = asyncio.run(fuzz.run(3000, 7, options))
    assert code == 0, capsys.readouterr().out


@settings(max_examples=300, deadline=None)
@given(
    st.text(alphabet=st.characters(codec="utf-8"), max_size=400) | st.text("+-@ \n\rab/0123,", max_size=400)
)
def test_any_text_is_a_diff_or_a_diff_error(text: str) -> None:
    try:
        patch = diff.parse(text)
    except DiffError:
        return
    assert len(patch.identity) == 64


@settings(max_examples=300, deadline=None)
@given(
    st.lists(
        st.tuples(
            st.sampled_from([b"host", b"x-request-id", b"authorization", b"content-type", b"content-length"]),
            st.binary(max_size=80),
        ),
        max_size=6,
    )
)
def test_any_headers_get_an_answer_that_is_no_failure(headers: list[tuple[bytes, bytes]]) -> None:
    """And what is sent back as request id is never what could break a line."""
    sent: list[dict[str, Any]] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b""})

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": b""}

    async def send(message: Any) -> None:
        sent.append(message)

    scope = {"type": "http", "method": "GET", "path": "/", "headers": headers, "client": ("127.0.0.1", 1)}
    walls = Responder(Shield(app, {"localhost"}, loopback_only=True))
    asyncio.run(walls(scope, receive, send))
    assert sent[0]["status"] in {200, 421}
    (request_id,) = (value for name, value in sent[0]["headers"] if name == b"x-request-id")
    assert request_id.decode("ascii").isprintable()


def test_every_example_of_the_openapi_document_works_when_pasted(tmp_path: Path) -> None:
    (tmp_path / "data").symlink_to(ROOT / "data")
    options = Settings(root=tmp_path, port=0, model=model_folder(), rate_limits=OFF, wargames=1)
    with serve(options) as server:
        _, document, _ = ask(server, "GET", "/openapi.json")
        schemas = document["components"]["schemas"]
        posted = 0
        for path, operations in document["paths"].items():
            content = (
                operations.get("post", {}).get("requestBody", {}).get("content", {}).get("application/json")
            )
            if content is None:
                continue
            schema = schemas.get(content["schema"].get("$ref", "").rpartition("/")[2], {})
            examples = [content["example"]] if "example" in content else schema.get("examples", [])
            assert examples, path
            for example in examples:
                status, answer, _ = ask(server, "POST", path, example)
                assert status == 200, (path, answer)
                posted += 1
        assert posted >= 4
        for body in (b"[" * 100_000, b'{"tag":' * 50_000, json.dumps({"tag": "x" * 5000}).encode(), b"\xff"):
            assert ask(server, "POST", "/wargaming/cache/invalidate", body)[0] in {400, 422}
