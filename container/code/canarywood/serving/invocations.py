"""POST /invocations: from a WSGI environment to an answer. The hot path: no Flask in here.

    check headers -> wait for a slot -> read -> decode -> predict in blocks -> encode

The order is the rule: what cannot be answered (type, Accept, size) is refused before it costs
anything, and a body is read only by a request that holds a slot, so that memory is bounded by
the slots and not by the queue. Between the steps the deadline is looked at.

Both kinds of worker answer by these steps: threads by `answer`, one request at a time, the event
loop by canarywood.serving.batching, what is ready at once.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from http import HTTPStatus
from typing import Any, Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

from canarywood import media
from canarywood.errors import (
    AcceptError,
    BodyError,
    RequestError,
    SettingsError,
    TooLargeError,
)
from canarywood.logs import fields
from canarywood.schema.definition import Schema
from canarywood.serving.admission import Admission, Deadline
from canarywood.serving.decoding import V2_REQUEST
from canarywood.serving.encoding import Form
from canarywood.serving.native import Kind
from canarywood.serving.problems import problem, problem_of
from canarywood.serving.row_limits import check_cells
from canarywood.serving.scorer import Request

ROWS_PER_BLOCK = 4096  # predicted between two looks at the deadline
SLOW_ROWS_PER_BLOCK = 128  # of contributions, which take a thousand times as long
QUICK = frozenset({Kind.VALUE, Kind.MARGIN})
HEADERS_REMEMBERED = 256
ATTRIBUTES_HEADER = "X-Amzn-SageMaker-Custom-Attributes"
ATTRIBUTES = re.compile(r"[\x20-\x7e]{1,1024}")

STATUS_LINES = {status.value: f"{status.value} {status.phrase}" for status in HTTPStatus}

log = logging.getLogger(__name__)

Floats = NDArray[np.float32]
Environ = Mapping[str, Any]
Result = TypeVar("Result")


class Model(Protocol):
    """What is asked of a model; canarywood.serving.scorer.Scorer is one."""

    @property
    def schema(self) -> Schema:
        """The data contract."""

    @property
    def unknown_categories(self) -> Mapping[str, int]:
        """By column, cells whose category training never saw, in this process."""

    def form(self, accepted: media.Accepted) -> Form:
        """How a request with this Accept is answered."""

    def read(self, body: bytes, content: media.MediaType, form: Form) -> Request:
        """The rows of a body, (rows, features), and how they are answered."""

    def predict(self, features: Floats, kind: Kind = Kind.VALUE) -> Floats:
        """(rows,) or (rows, outputs)."""

    def encode(self, found: Mapping[Kind, Floats], form: Form) -> bytes:
        """The body of the answer."""

    def warm_up(self) -> None:
        """Answer one row, so that no client pays for first uses."""


@dataclass(frozen=True)
class Answer:
    """A whole answer; `rows` is 0 where nothing was predicted."""

    status: int
    headers: list[tuple[str, str]]
    body: bytes
    rows: int = 0

    @property
    def status_line(self) -> str:
        """`200 OK`."""
        return STATUS_LINES[self.status]


@dataclass(frozen=True)
class Limits:
    """What one request may take."""

    body_bytes: int
    timeout_s: float
    cells: int = 1 << 26  # numbers of an answer


@dataclass(frozen=True)
class Types:
    """Media types of bodies and answers.

    Attributes:
        content: that the model decodes.
        accepts: that it encodes, the default first.
        follow: a request that does not care is answered in the type of its body, where that can
            be.
    """

    content: tuple[str, ...]
    accepts: tuple[str, ...]
    follow: bool = False

    def offered(self, content: str) -> tuple[str, ...]:
        """The types of an answer to such a body, the default first."""
        if not self.follow or content not in self.accepts:
            return self.accepts
        return (content, *(accept for accept in self.accepts if accept != content))


class Invocations:
    """Answers invocations of one model.

    Args:
        deadline: makes the deadline of a request that has so many seconds.
    """

    def __init__(
        self,
        model: Model,
        limits: Limits,
        admission: Admission,
        types: Types,
        *,
        deadline: Callable[[float], Deadline] = Deadline.after,
    ) -> None:
        self.model = model
        self.admission = admission
        self._limits = limits
        self._deadline = deadline
        # Clients send the same few headers again and again.
        self._content = lru_cache(HEADERS_REMEMBERED)(
            lambda header: media.content_type(header, types.content)
        )
        self._form = lru_cache(HEADERS_REMEMBERED)(
            lambda header, content: model.form(media.accepted(header, types.offered(content)))
        )

    def answer(self, environ: Environ, request_id: str) -> Answer:
        """Answer one request; no exception leaves this."""
        return attempt(request_id, lambda: self._answer(environ, request_id))

    def deadline(self) -> Deadline:
        """The deadline of a request that begins now."""
        return self._deadline(self._limits.timeout_s)

    def check(self, environ: Environ) -> tuple[media.MediaType, Form]:
        """Type of the body and form of the answer; raises RequestError where there can be none."""
        if environ.get("PATH_INFO", "").startswith("/v2/"):
            media.content_type(environ.get("CONTENT_TYPE") or media.JSON, (media.JSON,))
            content = V2_REQUEST
            form = self.model.form(media.accepted(environ.get("HTTP_ACCEPT"), (media.JSON,)))
        else:
            content = self._content(environ.get("CONTENT_TYPE"))
            form = self._form(environ.get("HTTP_ACCEPT"), content.name)
        self._check_length(environ.get("CONTENT_LENGTH"))
        return content, form

    def read(self, environ: Environ, content: media.MediaType, form: Form) -> Request:
        """Read and decode the body."""
        return self.model.read(self._read(environ), content, form)

    def encode(
        self, environ: Environ, request_id: str, form: Form, found: Mapping[Kind, Floats]
    ) -> Answer:
        """The answer that holds the predictions."""
        body = self.model.encode(found, form)
        headers = [
            ("Content-Type", form.media),
            ("Content-Length", str(len(body))),
            ("X-Request-Id", request_id),
        ]
        attributes = environ.get("HTTP_X_AMZN_SAGEMAKER_CUSTOM_ATTRIBUTES")
        if attributes and ATTRIBUTES.fullmatch(attributes):
            headers.append((ATTRIBUTES_HEADER, attributes))
        return Answer(200, headers, body, len(found[form.kinds[0]]))

    def predict(
        self, request: Request, deadline: Deadline, values: Floats | None = None
    ) -> dict[Kind, Floats]:
        """All that the answer is made of; `values` are the predictions, where they are known."""
        return {
            kind: self._scores(request.features, kind, deadline)
            if values is None or kind is not Kind.VALUE
            else values
            for kind in request.form.kinds
        }

    def _answer(self, environ: Environ, request_id: str) -> Answer:
        deadline = self.deadline()
        content, form = self.check(environ)
        with self.admission.slot(deadline):
            request = self.read(environ, content, form)
            found = self.predict(request, deadline)
            deadline.check()
            return self.encode(environ, request_id, request.form, found)

    def _check_length(self, declared: str | None) -> None:
        if declared and declared.isdigit():
            if int(declared) == 0:
                raise _empty()
            if int(declared) > self._limits.body_bytes:
                raise self._too_large()

    def _read(self, environ: Environ) -> bytes:
        try:
            body: bytes = environ["wsgi.input"].read(self._limits.body_bytes + 1)
        except Exception as error:  # the server's, whichever it is: a bad chunk, a client gone
            log.debug("body: %s", error)
            raise BodyError(
                "the body ends early, or is not framed as its headers say", code="incomplete_body"
            ) from error
        if len(body) > self._limits.body_bytes:
            raise self._too_large()
        if not body:
            raise _empty()
        declared = environ.get("CONTENT_LENGTH")
        if declared and declared.isdigit() and len(body) != int(declared):
            raise BodyError("the body is shorter than its Content-Length", code="incomplete_body")
        return body

    def _scores(self, features: Floats, kind: Kind, deadline: Deadline) -> Floats:
        """Predict; a large request in blocks, so that it can be given up between two."""
        deadline.check()
        size = ROWS_PER_BLOCK if kind in QUICK else SLOW_ROWS_PER_BLOCK
        if len(features) <= size and kind in QUICK:
            return self.model.predict(features, kind)
        blocks = []
        for start in range(0, len(features), size):
            deadline.check()
            blocks.append(self.model.predict(features[start : start + size], kind))
            if not start:
                width = blocks[0].size // max(1, len(blocks[0]))
                check_cells(len(features), width, self._limits.cells)
        return np.concatenate(blocks)

    def _too_large(self) -> TooLargeError:
        return TooLargeError(
            f"the body is larger than {self._limits.body_bytes} bytes; send fewer rows at a time"
        )


def attempt(request_id: str, step: Callable[[], Result]) -> Result | Answer:
    """What the step returns; where it raises, the answer that says so."""
    try:
        return step()
    except RequestError as error:
        return refusal(error, request_id)
    except Exception:
        log.exception("invocation failed", extra=fields(request_id=request_id))
        return failure(request_id)


def refusal(error: RequestError, request_id: str) -> Answer:
    """The answer for an error of our tree."""
    return _problem_answer(
        int(error.status), problem_of(error, request_id), request_id, error.headers
    )


def failure(request_id: str) -> Answer:
    """The answer for a fault of ours: it says nothing, the log says all."""
    detail = "internal error; the log has more under this request_id"
    return _problem_answer(
        500, problem(500, "internal", detail, request_id=request_id), request_id, {}
    )


def _problem_answer(
    status: int, body: bytes, request_id: str, headers: Mapping[str, str]
) -> Answer:
    return Answer(
        status,
        [
            ("Content-Type", media.PROBLEM),
            ("Content-Length", str(len(body))),
            ("X-Request-Id", request_id),
            *headers.items(),
        ],
        body,
    )


def _empty() -> BodyError:
    return BodyError("the body is empty; send at least one row", code="empty_body")


def accepts_with_default(accepts: tuple[str, ...], default: str) -> tuple[str, ...]:
    """The types of an answer with the default first; SettingsError where it is none of them."""
    if not default:
        return accepts
    try:
        chosen = media.choose(default, accepts)
    except AcceptError as error:
        raise SettingsError(f"SAGEMAKER_DEFAULT_INVOCATIONS_ACCEPT: {error.detail}") from error
    return (chosen, *(offer for offer in accepts if offer != chosen))
