"""Errors as an answer: problem+json (RFC 9457). Standard library only.

Every error has this shape, whoever answers: a worker, the health socket, or nginx itself.
"""

from __future__ import annotations

import json
import re
import uuid
from collections.abc import Mapping
from http import HTTPStatus

from canarywood.errors import RequestError

LONGEST_BODY = 2048  # characters of it that reach SageMaker's OriginalMessage
LONGEST_COLUMN = 100  # JSON may write one as twelve

# What may stand in a request id: it is echoed into headers, logs and nginx's own JSON.
REQUEST_ID = re.compile(r"[A-Za-z0-9._:=+/@-]{1,128}")


def problem(
    status: int,
    code: str,
    detail: str,
    *,
    request_id: str,
    row: int | None = None,
    column: str | int | None = None,
) -> bytes:
    """The body of an error: ASCII JSON of at most 2,048 characters, the detail cut to fit."""
    detail = detail[:LONGEST_BODY]
    content: dict[str, object] = {
        "type": "about:blank",
        "title": HTTPStatus(status).phrase,
        "status": int(status),
        "code": code,
        "detail": detail,
        "request_id": request_id,
    }
    if row is not None:
        content["row"] = row
    if column is not None:
        content["column"] = column[:LONGEST_COLUMN] if isinstance(column, str) else column
    body = json.dumps(content)
    while len(body) > LONGEST_BODY and content["detail"]:
        # A character takes up to 12 in JSON's escapes: cut by what is surely too much, again.
        excess = -(-(len(body) - LONGEST_BODY) // 12)
        detail = detail[: -max(excess, 1)]
        content["detail"] = detail
        body = json.dumps(content)
    return body.encode("ascii")


def problem_of(error: RequestError, request_id: str) -> bytes:
    """The body for an error of our tree."""
    return problem(
        error.status,
        error.code,
        error.detail,
        request_id=request_id,
        row=error.row,
        column=error.column,
    )


def request_id_of(environ: Mapping[str, object]) -> str:
    """The caller's request id (SageMaker's or a proxy's) where it is usable, else a new one."""
    for key in ("HTTP_X_REQUEST_ID", "HTTP_X_AMZN_REQUESTID"):
        found = environ.get(key)
        if isinstance(found, str) and REQUEST_ID.fullmatch(found):
            return found
    return uuid.uuid4().hex
