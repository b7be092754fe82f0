"""gunicorn's worker with threads, but what its parser refuses is answered in our shape.

gunicorn answers such a request itself, in HTML and without a request id, since no application
has seen it. The seams (`handle_error`, `_keepalive_after`, the exceptions of its parser) belong to
gunicorn 27.0.1, which is pinned; tests/container/serving/test_malformed.py holds them.
"""

from __future__ import annotations

import logging
import socket
import uuid
from http import HTTPStatus
from typing import Any

from gunicorn import util
from gunicorn.http import errors
from gunicorn.workers.gthread import ThreadWorker

from canarywood.errors import RequestError
from canarywood.logs import fields
from canarywood.serving.http1 import response
from canarywood.serving.invocations import failure
from canarywood.serving.wsgi import Application

# What looks like a fault of the parser's input but is one of ours.
_OURS = (
    errors.InvalidResponseHeader,
    errors.InvalidResponseHeaderName,
    errors.ConfigurationProblem,
)

log = logging.getLogger(__name__)


class _PathTooLongError(RequestError):
    status = HTTPStatus.REQUEST_URI_TOO_LONG
    code = "uri_too_long"


class _HeadersTooLargeError(RequestError):
    status = HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE
    code = "headers_too_large"


class ThreadsWorker(ThreadWorker):  # type: ignore[misc]  # gunicorn ships no types
    """See the module."""

    wsgi: Application

    def handle_error(
        self, _request: Any, client: socket.socket, _address: Any, error: Exception
    ) -> None:
        """Answer a request that cannot be read (400), or whose answer cannot be written (500)."""
        request_id = self.request_id(client)
        if isinstance(error, errors.ParseException) and not isinstance(error, _OURS):
            answer = self.wsgi.refuse(refusal_of(error), request_id)
        else:
            log.error("request failed", exc_info=error, extra=fields(request_id=request_id))
            answer = failure(request_id)
        try:
            util.write_nonblock(client, response(answer, close=True))
        except OSError as gone:
            log.debug("the client is gone: %s", gone)

    def _keepalive_after(self, conn: Any, keepalive: bool) -> bool:
        """Whether the connection goes on; not where the rest of an answered body is malformed."""
        try:
            return bool(super()._keepalive_after(conn, keepalive))
        except errors.ParseException as error:
            log.debug("after the answer: %s", error)
            return False

    def request_id(self, _client: socket.socket) -> str:
        """The id of a request that could not be read: a new one."""
        return uuid.uuid4().hex


def refusal_of(error: Exception) -> RequestError:
    """What the parser refuses as one of our errors: always a fault of the client's."""
    if isinstance(error, errors.LimitRequestLine):
        return _PathTooLongError("the path is too long")
    if isinstance(error, errors.LimitRequestHeaders):
        return _HeadersTooLargeError("the headers are too large")
    return RequestError("the request is not valid HTTP")
