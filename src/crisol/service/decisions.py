"""The endpoints that decide about a patch: by the whole ladder, or by a wargame alone.

The questions of earlier requests are stored by the SHA-256 of the request's body. If a request has the body
of an earlier one, and the decision on that question is cached, the diff is not parsed again.
"""

from __future__ import annotations

import hashlib
from time import perf_counter
from typing import TYPE_CHECKING

from crisol.service.exchange import Present
from crisol.service.messages import Answer, Ask, answer_of, read_submission

if TYPE_CHECKING:
    from crisol.service.asgi import Receive
    from crisol.service.core import Service
    from crisol.service.exchange import Exchange
    from crisol.service.routes import Routes
    from crisol.validation.ladder import Question

__all__ = ["EXAMPLE", "ReadQuestions", "add_decisions"]

_MOST = 10_000
_CUT_CHARACTERS = 500
EXAMPLE = {
    "diff": "--- a/app.py\n+++ b/app.py\n@@ -1,2 +1,4 @@\n def load(path):\n+    if '..' in path:\n"
    "+        raise ValueError(path)\n     return open(path)\n",
    "cwe": "CWE-22",
}


class ReadQuestions:
    """A store of the last 10,000 questions, so that a repeated request body need not be parsed.

    The key of a question is the SHA-256 of the request body from which it was read.
    """

    def __init__(self) -> None:
        self._questions: dict[bytes, Question] = {}

    def get(self, digest: bytes) -> Question | None:
        """Return the question that was read from the body with the SHA-256 ``digest``, or None."""
        return self._questions.get(digest)

    def keep(self, digest: bytes, question: Question) -> None:
        """Store ``question``, which was read from the body with the SHA-256 ``digest``.

        If more than 10,000 questions are stored, the one stored first is removed. A question is not stored if
        its ``cut``, the message about the files that were left out of the diff, has more than 500 characters.
        """
        if len(question.cut) > _CUT_CHARACTERS:
            return
        self._questions[digest] = question
        if len(self._questions) > _MOST:
            del self._questions[next(iter(self._questions))]


def add_decisions(app: Routes, service: Service) -> None:
    """Add the routes ``POST /wargaming/ml-first`` and ``POST /wargaming/validate`` to ``app``.

    ``service`` answers their requests.
    """
    validator, trials = service.validator, service.trials
    questions = ReadQuestions()

    @app.fast("/wargaming/ml-first", takes=Ask, gives=Answer, tags=["decisions"], example=EXAMPLE)
    async def ml_first(exchange: Exchange, receive: Receive) -> Answer:
        """Decide about a patch by the ladder: cache, facts, memory, model, wargame, fallback."""
        start = perf_counter()
        digest = hashlib.sha256(exchange.body).digest()
        question = questions.get(digest)
        validated = None if question is None else validator.recall(question)
        if question is None or validated is None:
            submission = read_submission(exchange.body, exchange.client)
            async with Present(receive):
                submission = await validator.fitted(submission)
                question = submission.question
                questions.keep(digest, question)
                validated = await validator.decide(submission)
                validated = await trials.consider(submission, validated)
        exchange.validated = validated
        return answer_of(validated, question, exchange.request_id, perf_counter() - start, service.missing())

    @app.fast(
        "/wargaming/validate",
        takes=Ask,
        gives=Answer,
        tags=["decisions"],
        example=EXAMPLE | {"vulnerability": "arena-zip-slip"},
    )
    async def validate(exchange: Exchange, receive: Receive) -> Answer:
        """Decide about a patch by a wargame alone; its verdict may come from the cache."""
        start = perf_counter()
        submission = read_submission(exchange.body, exchange.client)
        async with Present(receive):
            submission = await validator.fitted(submission)
            validated = exchange.validated = await validator.validate(submission)
        question = submission.question
        return answer_of(validated, question, exchange.request_id, perf_counter() - start, service.missing())
