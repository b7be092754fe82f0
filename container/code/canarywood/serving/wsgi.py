"""The WSGI application of a worker, and the one place where its parts are put together.

gunicorn calls `create()` once, in its master: the model is loaded there, and every worker gets
it by fork.
"""

from __future__ import annotations

import io
import json
import logging
import os
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from http import HTTPStatus
from pathlib import Path
from typing import Any
from wsgiref.util import setup_testing_defaults

from canarywood import logs, media, steps
from canarywood.contract import Layout
from canarywood.errors import CanarywoodError, RequestError
from canarywood.logs import fields
from canarywood.serving.admission import Admission
from canarywood.serving.batching import LARGEST_BODY, Asked, Batching
from canarywood.serving.health import notify
from canarywood.serving.invocations import (
    Answer,
    Environ,
    Invocations,
    Limits,
    Model,
    Types,
    accepts_with_default,
    failure,
    refusal,
)
from canarywood.serving.metrics import Metrics
from canarywood.serving.openapi import document, example_record
from canarywood.serving.pages import Pages, create_pages, execution_parameters
from canarywood.serving.plan import RUN_VARIABLE, Run, ServePlan, make_plan
from canarywood.serving.problems import request_id_of
from canarywood.serving.protocol import infer_paths
from canarywood.serving.scorer import ACCEPTS, CONTENT_TYPES, Scorer
from canarywood.settings import ServeSettings

ROUTES = (
    "/invocations",
    "/execution-parameters",
    "/metrics",
    "/openapi.json",
    "/v2",
    "/v2/health/live",
    "/v2/health/ready",
)
UNLOGGED = ("/ping",)

log = logging.getLogger(__name__)

StartResponse = Callable[[str, list[tuple[str, str]]], object]
Wsgi = Callable[[dict[str, Any], Any], Iterable[bytes]]


class Application:
    """Sends POST /invocations down the hot path, all else to the pages; counts and logs.

    Args:
        is_quick: predictions are XGBoost's own, so that small ones may be answered together, and
            in an event loop. A user's `predict` may take any time, and look at all rows.
    """

    def __init__(
        self,
        model: Model,
        invocations: Invocations,
        pages: Wsgi,
        metrics: Metrics,
        request_log_share: float,
        *,
        is_quick: bool = True,
    ) -> None:
        self._is_quick = is_quick
        self._model = model
        self._hot = frozenset({"/invocations", *infer_paths(model.schema.name)})
        self._invocations = invocations
        self._batching = Batching(invocations)
        self._pages = pages
        self._metrics = metrics
        self._share = logs.Share(request_log_share)

    def __call__(self, environ: dict[str, Any], start_response: StartResponse) -> Iterable[bytes]:
        """Answer one request (PEP 3333)."""
        if environ["PATH_INFO"] in self._hot and environ["REQUEST_METHOD"] == "POST":
            return self._invocation(environ, start_response)
        return self._page(environ, start_response)

    def warm_up(self) -> None:
        """Answer one row, and every page, as for a client; raises where that fails.

        Called in the master too: what a first use imports is then shared by all workers, and
        there for those that may no longer read every folder once they have dropped to their user.
        """
        self._metrics.open()
        self._model.warm_up()
        body = json.dumps([example_record(self._model.schema)]).encode()
        environ = {
            "CONTENT_TYPE": media.JSON,
            "CONTENT_LENGTH": str(len(body)),
            "wsgi.input": io.BytesIO(body),
        }
        answer = self._invocations.answer(environ, "warm-up")
        if answer.status != 200:
            raise RuntimeError(f"the first prediction fails: {answer.body.decode()}")
        for route in ROUTES:
            page: dict[str, Any] = {"PATH_INFO": route}
            setup_testing_defaults(page)
            b"".join(self._pages(page, lambda *_: None))

    def _invocation(
        self, environ: dict[str, Any], start_response: StartResponse
    ) -> Iterable[bytes]:
        asked = Asked(environ, request_id_of(environ))
        (answer,) = self._counted(
            [asked], lambda: [self._invocations.answer(environ, asked.request_id)]
        )
        start_response(answer.status_line, answer.headers)
        return [answer.body]

    @property
    def largest_small_body(self) -> int:
        """Bytes; a body of more is never answered together with others. -1: none is."""
        return LARGEST_BODY if self._is_quick else -1

    def is_small(self, environ: Environ, body: bytes) -> bool:
        """Whether a request may be answered together with others."""
        return self._is_quick and self._batching.is_small(environ, body)

    def measure(self) -> None:
        """Learn, before the fork, what is small to this model."""
        if self._is_quick:
            self._batching.measure()

    def answer_together(self, environs: Iterable[Environ]) -> Iterator[Answer]:
        """Answer, in order, invocations whose bodies are small and there."""
        asked = [Asked(environ, request_id_of(environ)) for environ in environs]
        for part, answer in self._batching.parts(asked):
            yield from self._counted(part, answer)

    def refuse(self, error: RequestError, request_id: str) -> Answer:
        """Answer, count and log a request that could not be read."""
        answer = refusal(error, request_id)
        self._metrics.count_request("other", answer.status)
        _log(Asked({}, request_id), answer, 0.0)
        return answer

    def _counted(
        self, requests: Sequence[Asked], answer: Callable[[], list[Answer]]
    ) -> list[Answer]:
        """Answer requests, counting and logging them; the counts are there before the answers."""
        began = time.perf_counter()
        self._metrics.in_flight.inc(len(requests))
        try:
            answers = answer()
        finally:
            self._metrics.in_flight.dec(len(requests))
        seconds = time.perf_counter() - began
        rows = sum(answer.rows for answer in answers)
        self._metrics.count_invocations([answer.status for answer in answers], seconds, rows)
        self._metrics.count_unknown(self._model.unknown_categories)
        for asked, given in zip(requests, answers, strict=True):
            if self._share.picks() or given.status >= HTTPStatus.BAD_REQUEST:
                _log(asked, given, seconds)
        return answers

    def _page(self, environ: dict[str, Any], start_response: StartResponse) -> Iterable[bytes]:
        """Any other route; the request id is fixed here, so that all who look see one."""
        environ["HTTP_X_REQUEST_ID"] = request_id_of(environ)
        route = environ["PATH_INFO"]
        if route in UNLOGGED:
            return self._pages(environ, start_response)

        def start(status: str, headers: list[tuple[str, str]], *rest: Any) -> object:
            self._metrics.count_request(route if route in ROUTES else "other", int(status[:3]))
            return start_response(status, headers, *rest)

        try:
            return self._pages(environ, start)
        except Exception:  # what Flask raises before its own handlers are in charge
            request_id = environ["HTTP_X_REQUEST_ID"]
            log.exception("page failed", extra=fields(request_id=request_id))
            answer = failure(request_id)
            start(answer.status_line, answer.headers)
            return [answer.body]


def _log(asked: Asked, answer: Answer, seconds: float) -> None:
    log.info(
        "request",
        extra=fields(
            request_id=asked.request_id,
            status=answer.status,
            milliseconds=round(1000 * seconds, 3),
            rows=answer.rows,
            bytes_in=int(asked.environ.get("CONTENT_LENGTH") or 0),
            bytes_out=len(answer.body),
            content_type=asked.environ.get("CONTENT_TYPE", "")[:100],
        ),
    )


def build(model: Model, plan: ServePlan, outputs: int) -> Application:
    """Put the parts of a worker together."""
    settings = plan.settings
    metrics = Metrics(plan.run.metrics_folder)
    accepts = accepts_with_default(ACCEPTS, settings.default_accept)
    pages = create_pages(
        Pages(
            openapi=document(model.schema, outputs, accepts),
            schema=model.schema,
            outputs=outputs,
            metrics=metrics,
            execution_parameters=execution_parameters(plan.slots, settings.max_body_bytes),
        )
    )
    invocations = Invocations(
        model,
        Limits(settings.max_body_bytes, settings.timeout_s, settings.max_cells),
        Admission(settings.threads, settings.queue_size, metrics.queue_length.inc),
        Types(CONTENT_TYPES, accepts, settings.batch and not settings.default_accept),
    )
    return Application(
        model,
        invocations,
        pages.wsgi_app,
        metrics,
        settings.request_log_share,
        is_quick=steps.find("serve", "predict") is None,
    )


def create() -> Application:
    """The application of the model in base/model, by environment variables alone.

    A fault of the model or of a setting is told to the supervisor, which says it once, in one
    line; gunicorn just ends.
    """
    run = Run(Path(os.environ[RUN_VARIABLE]))
    logs.configure(ServeSettings.from_environment().log_level)
    try:
        plan = make_plan(os.environ, run)
        scorer = Scorer.load(Layout.from_environment().model, plan.settings)
        application = build(scorer, plan, scorer.outputs)
        application.warm_up()
        application.measure()
    except CanarywoodError as error:
        notify(run.notices_socket, f"failed {error}")
        raise SystemExit(1) from error
    return application
