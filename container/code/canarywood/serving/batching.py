"""Answer the invocations that are there at the same moment by one prediction. No waiting here.

Nothing is held back to fill a batch: alone, a request is predicted alone; under load more of
them are there at once, and a prediction of twenty rows costs little more than one of a single
row. Each body is decoded on its own, so that a bad row is its sender's alone. Rows are predicted
independently of each other, so an answer is the same, bit for bit, in any company.

Only for a model whose predictions are our own and take microseconds: a user's `predict` may look
at the whole matrix, and may take its time.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np

from canarywood import media
from canarywood.errors import RequestError
from canarywood.serving.admission import Deadline
from canarywood.serving.invocations import (
    QUICK,
    Answer,
    Environ,
    Floats,
    Invocations,
    attempt,
    refusal,
)
from canarywood.serving.scorer import Request

BYTES_PER_PART = 64 * 1024  # answered and sent before the next part is looked at

# What one request may hold to be answered in the event loop. Measured: 32 KiB of CSV take 0.3 to
# 2 ms; a hand-over to a thread costs 0.2.
LARGEST_BODY = 32 * 1024
MOST_ROWS = 512
QUICK_S = 0.01  # or fewer rows, where the model needs longer than this for so many
SAMPLE_ROWS = 64
TEXTS = (media.CSV, media.JSON, media.JSON_LINES)

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Asked:
    """One request: a WSGI environment, or the part of it that matters, with all of its body."""

    environ: Environ
    request_id: str


Part = tuple[Sequence[Asked], Callable[[], list[Answer]]]


@dataclass(frozen=True)
class _Decoded:
    """A request on its way; `place` is its position among those asked together."""

    place: int
    asked: Asked
    request: Request


class Batching:
    """Answers several requests at once, in the calling thread."""

    def __init__(self, invocations: Invocations) -> None:
        self._invocations = invocations
        self._admission = invocations.admission
        self._most_rows = MOST_ROWS

    def measure(self, clock: Callable[[], float] = time.perf_counter) -> None:
        """Learn what is small to this model: as many rows as it predicts in QUICK_S."""
        model = self._invocations.model
        width = len(model.schema.features)
        sample = np.random.default_rng(0).standard_normal((SAMPLE_ROWS, width), dtype=np.float32)
        seconds = []
        for _ in range(3):
            began = clock()
            model.predict(sample)
            seconds.append(max(clock() - began, 1e-9))
        self._most_rows = min(MOST_ROWS, int(SAMPLE_ROWS * QUICK_S / min(seconds)))

    def is_small(self, environ: Environ, body: bytes) -> bool:
        """Whether a request is surely quick to answer, or to refuse.

        Rows are estimated by line ends and brackets; what is no text may unfold to any number.
        """
        if len(body) > LARGEST_BODY or not self._most_rows:
            return False
        try:
            content, form = self._invocations.check(environ)
        except RequestError:
            return True
        if content.name not in TEXTS or not QUICK.issuperset(form.kinds):
            return False
        if b'"datatype"' in body:  # a tensor: its brackets do not tell its rows
            return False
        if len(body) <= self._most_rows:
            return True
        return body.count(b"\n") + body.count(b"[") + body.count(b"{") <= self._most_rows

    def parts(self, requests: Sequence[Asked]) -> Iterator[Part]:
        """Consecutive parts of the requests, each to be answered and sent before the next.

        Together they are one moment: one deadline, and one more than there are places for is
        told to come back.
        """
        deadline = self._invocations.deadline()
        places = self._admission.places
        for part in _split(requests[:places]):
            yield part, partial(self._answer, part, deadline)
        if refused := requests[places:]:
            yield refused, partial(self._refuse, refused)

    def _refuse(self, requests: Sequence[Asked]) -> list[Answer]:
        """429 for each, unless it could not be answered at any time."""
        outcomes = [
            attempt(asked.request_id, partial(self._invocations.check, asked.environ))
            for asked in requests
        ]
        return [
            outcome
            if isinstance(outcome, Answer)
            else refusal(self._admission.full, asked.request_id)
            for asked, outcome in zip(requests, outcomes, strict=True)
        ]

    def _answer(self, requests: Sequence[Asked], deadline: Deadline) -> list[Answer]:
        """The answers, in the order of the requests; no exception leaves this."""
        answers: dict[int, Answer] = {}
        decoded: list[_Decoded] = []
        for place, asked in enumerate(requests):
            outcome = self._decode(place, asked)
            if isinstance(outcome, Answer):
                answers[place] = outcome
            else:
                decoded.append(outcome)
        for batch in _batches(decoded, 2 * self._most_rows):
            answers.update(self._predict(batch, deadline))
        return [answers[place] for place in range(len(requests))]

    def _decode(self, place: int, asked: Asked) -> _Decoded | Answer:
        def decode() -> _Decoded:
            content, form = self._invocations.check(asked.environ)
            return _Decoded(place, asked, self._invocations.read(asked.environ, content, form))

        return attempt(asked.request_id, decode)

    def _predict(
        self, batch: Sequence[_Decoded], deadline: Deadline
    ) -> Iterable[tuple[int, Answer]]:
        """Predict a batch in one go; where that fails each request again, alone."""
        shares = self._shares(batch) if len(batch) > 1 else [None]
        for one, scores in zip(batch, shares, strict=True):
            yield one.place, self._finish(one, scores, deadline)

    def _shares(self, batch: Sequence[_Decoded]) -> Sequence[Floats | None]:
        """The predictions of each request; None where they could not be made together."""
        try:
            return self._joined(batch)
        except Exception:
            log.exception("batch failed, so that each of its requests is predicted alone")
            return [None] * len(batch)

    def _joined(self, batch: Sequence[_Decoded]) -> list[Floats]:
        rows = [len(one.request.features) for one in batch]
        scores = self._invocations.model.predict(
            np.concatenate([one.request.features for one in batch])
        )
        if len(scores) != sum(rows):
            raise ValueError(f"{len(scores)} predictions for {sum(rows)} rows")
        ends = np.cumsum(rows).tolist()
        return [scores[end - count : end] for end, count in zip(ends, rows, strict=True)]

    def _finish(self, one: _Decoded, scores: Floats | None, deadline: Deadline) -> Answer:
        """The answer of one request: with its share of a batch, or predicted now."""
        asked, invocations = one.asked, self._invocations

        def finish() -> Answer:
            deadline.check()
            found = invocations.predict(one.request, deadline, scores)
            deadline.check()
            return invocations.encode(asked.environ, asked.request_id, one.request.form, found)

        return attempt(asked.request_id, finish)


def _split(requests: Sequence[Asked]) -> Iterator[Sequence[Asked]]:
    """Consecutive requests whose bodies sum up to BYTES_PER_PART, or a single larger one."""
    start = total = 0
    for place, asked in enumerate(requests):
        size = int(asked.environ["CONTENT_LENGTH"])
        if place > start and total + size > BYTES_PER_PART:
            yield requests[start:place]
            start, total = place, 0
        total += size
    if requests:
        yield requests[start:]


def _batches(decoded: Sequence[_Decoded], most_rows: int) -> Iterator[list[_Decoded]]:
    """Consecutive requests, as long as their rows fit into a batch, or a single larger one."""
    batch: list[_Decoded] = []
    rows = 0
    for one in decoded:
        if batch and rows + len(one.request.features) > most_rows:
            yield batch
            batch, rows = [], 0
        batch.append(one)
        rows += len(one.request.features)
    if batch:
        yield batch
