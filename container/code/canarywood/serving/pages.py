"""Every route but the hot ones, in Flask: /execution-parameters, /metrics, /openapi.json, /ping
and what tells of the model in /v2.

/ping is reached here only where gunicorn is asked without nginx in front.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import Any

from flask import Flask, Response, jsonify, request
from werkzeug.exceptions import HTTPException, MethodNotAllowed

from canarywood import media
from canarywood.errors import MethodError, NotFoundError, RequestError
from canarywood.logs import fields
from canarywood.schema.definition import Schema
from canarywood.serving import metrics, protocol
from canarywood.serving.invocations import Answer, failure, refusal
from canarywood.serving.problems import request_id_of
from canarywood.settings import MIB

LARGEST_TRANSFORM_MIB = 100  # of one payload, and of payload times concurrency (AWS)

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Pages:
    """What the pages show."""

    openapi: dict[str, Any]
    metrics: metrics.Metrics
    execution_parameters: dict[str, int | str]
    schema: Schema
    outputs: int  # numbers that a row is answered with


def execution_parameters(slots: int, max_body_bytes: int) -> dict[str, int | str]:
    """What a batch transform job may ask of this container, within AWS's limits."""
    payload = min(max(1, max_body_bytes // MIB), LARGEST_TRANSFORM_MIB)
    return {
        "MaxConcurrentTransforms": max(1, min(slots, LARGEST_TRANSFORM_MIB // payload)),
        "BatchStrategy": "MULTI_RECORD",
        "MaxPayloadInMB": payload,
    }


def create_pages(pages: Pages) -> Flask:
    """The Flask application of the rare routes."""
    app = Flask("canarywood", static_folder=None)
    app.url_map.merge_slashes = False  # Flask would redirect, to whatever host the client names
    app.url_map.redirect_defaults = False

    @app.before_request
    def refuse_slashes() -> None:
        if request.environ["PATH_INFO"].startswith("//"):  # which Werkzeug takes for one
            raise NotFoundError("no such path; see /openapi.json")

    @app.get("/ping", provide_automatic_options=False)
    def ping() -> Response:
        return Response(b"")

    @app.get("/execution-parameters", provide_automatic_options=False)
    def parameters() -> Response:
        return jsonify(pages.execution_parameters)

    @app.get("/metrics", provide_automatic_options=False)
    def scrape() -> Response:
        return Response(pages.metrics.render(), content_type=metrics.CONTENT_TYPE)

    @app.get("/openapi.json", provide_automatic_options=False)
    def openapi() -> Response:
        return jsonify(pages.openapi)

    @app.post("/invocations", provide_automatic_options=False)
    def invocations() -> Response:  # the hot path answers what is spelt like this
        raise NotFoundError("no such path; see /openapi.json")

    app.register_blueprint(protocol.routes(pages.schema, pages.outputs))
    app.register_error_handler(Exception, _error)
    app.after_request(_with_request_id)
    return app


def _error(error: Exception) -> Response:
    """Every exception as problem+json."""
    request_id = request_id_of(request.environ)
    if isinstance(error, HTTPException):
        return _response(refusal(_known(error), request_id))
    if isinstance(error, RequestError):
        return _response(refusal(error, request_id))
    log.error("page failed", exc_info=error, extra=fields(request_id=request_id))
    return _response(failure(request_id))


def _known(error: HTTPException) -> RequestError:
    """Werkzeug's exception as one of ours."""
    if isinstance(error, MethodNotAllowed):
        allowed = ", ".join(sorted(error.valid_methods or ()))
        return MethodError(f"{request.path} takes {allowed} only", headers={"Allow": allowed})
    if error.code == 404:
        return NotFoundError("no such path; see /openapi.json")
    return RequestError("the request is not valid HTTP")


def _response(answer: Answer) -> Response:
    return Response(answer.body, answer.status, answer.headers, content_type=media.PROBLEM)


def _with_request_id(response: Response) -> Response:
    response.headers["X-Request-Id"] = request_id_of(request.environ)
    return response
