from __future__ import annotations

import io
import logging
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import xgboost as xgb

from canarywood import media
from canarywood.serving.admission import Admission, Deadline
from canarywood.serving.batching import BYTES_PER_PART, LARGEST_BODY, Asked, Batching
from canarywood.serving.encoding import Form
from canarywood.serving.invocations import Answer, Invocations, Limits, Model, Types
from canarywood.serving.native import Kind
from canarywood.serving.scorer import ACCEPTS, CONTENT_TYPES, Scorer
from tests.container import deprecations
from tests.container.serving.fakes import Clock, FakeModel, Floats

CSV = {"CONTENT_TYPE": "text/csv"}
OBJECTIVES = ("binary:logistic", "multi:softprob", "reg:squarederror")


class Crowd:
    """Requests that are asked together."""

    def __init__(self, model: Model, *, queue: int = 100, clock: Clock | None = None) -> None:
        self.clock = clock or Clock()
        self.admission = Admission(1, queue)
        self.invocations = Invocations(
            model,
            Limits(body_bytes=1_000_000, timeout_s=2),
            self.admission,
            Types(CONTENT_TYPES, ACCEPTS),
            deadline=lambda seconds: Deadline.after(seconds, self.clock),
        )

    def ask(self, *bodies: bytes, **headers: str) -> list[Answer]:
        parts = Batching(self.invocations).parts(asked(*bodies, **headers))
        return [answer for _, answers in parts for answer in answers()]

    def ask_each_alone(self, *bodies: bytes, **headers: str) -> list[Answer]:
        return [self.ask(body, **headers)[0] for body in bodies]


def asked(*bodies: bytes, **headers: str) -> list[Asked]:
    return [
        Asked(
            {
                "CONTENT_TYPE": media.CSV,
                "CONTENT_LENGTH": str(len(body)),
                "wsgi.input": io.BytesIO(body),
                **headers,
            },
            f"id-{number}",
        )
        for number, body in enumerate(bodies)
    ]


def fail_on(poison: float, blocks: list[int] | None = None) -> Callable[[Floats], None]:
    def fail(features: Floats) -> None:
        if blocks is not None:
            blocks.append(len(features))
        if poison in features:
            raise RuntimeError("poison")

    return fail


def test_requests_that_are_there_together_are_one_prediction() -> None:
    model = FakeModel()
    answers = Crowd(model).ask(b"1,2\n", b"3,4\n5,6\n", b"7,8")
    assert [answer.body for answer in answers] == [b"3\n", b"7\n11\n", b"15\n"]
    assert [answer.rows for answer in answers] == [1, 2, 1]
    assert model.blocks == [4]


def test_types_may_differ_within_a_batch() -> None:
    model = FakeModel()
    csv, json = asked(b"1,2\n", b'[{"a":3,"b":4}]')
    json = Asked({**json.environ, "CONTENT_TYPE": media.JSON, "HTTP_ACCEPT": media.JSON}, "id")
    ((_, answers),) = Batching(Crowd(model).invocations).parts([csv, json])
    assert [a.body for a in answers()] == [b"3\n", b'{"predictions": [{"score": 7.0}]}']
    assert model.blocks == [2]


def test_a_bad_row_hurts_its_sender_alone() -> None:
    answers = Crowd(FakeModel()).ask(b"1,2\n", b"1,2\n3\n", b"", b"5,6\n")
    assert [answer.status for answer in answers] == [200, 422, 400, 200]
    assert (answers[0].body, answers[3].body) == (b"3\n", b"11\n")
    assert b'"row": 2' in answers[1].body
    assert b'"request_id": "id-1"' in answers[1].body


def test_headers_are_checked_for_each_on_its_own() -> None:
    first, second = asked(b"1,2\n", b"1,2\n")
    second = Asked({**second.environ, "HTTP_ACCEPT": "image/png"}, "id")
    ((_, answers),) = Batching(Crowd(FakeModel()).invocations).parts([first, second])
    assert [answer.status for answer in answers()] == [200, 406]


def test_where_the_batch_fails_each_is_predicted_alone(caplog: pytest.LogCaptureFixture) -> None:
    blocks: list[int] = []
    answers = Crowd(FakeModel(fail_on(13, blocks))).ask(b"1,2\n", b"13,0\n", b"5,6\n")
    assert [answer.status for answer in answers] == [200, 500, 200]
    assert (answers[0].body, answers[2].body) == (b"3\n", b"11\n")
    assert blocks == [3, 1, 1, 1]
    assert [record.levelno for record in caplog.records] == [logging.ERROR] * 2


def test_too_few_predictions_are_nobodys_answer() -> None:
    class Short(FakeModel):
        def predict(self, features: Floats, kind: Kind = Kind.VALUE) -> Floats:
            return super().predict(features, kind)[: 1 if len(features) > 1 else None]

    answers = Crowd(Short()).ask(b"1,2\n", b"3,4\n")
    assert [answer.body for answer in answers] == [b"3\n", b"7\n"]


def test_more_than_the_queue_holds_is_told_to_come_back() -> None:
    model = FakeModel()
    answers = Crowd(model, queue=2).ask(*[b"1,2\n"] * 5)
    assert [answer.status for answer in answers] == [200, 200, 200, 429, 429]
    assert ("Retry-After", "1") in answers[3].headers
    assert model.blocks == [3]


def test_what_could_never_be_answered_is_not_told_to_come_back() -> None:
    answers = Crowd(FakeModel(), queue=0).ask(b"1,2\n", b"1,2\n", HTTP_ACCEPT="image/png")
    assert [answer.status for answer in answers] == [406, 406]


def test_a_busy_slot_does_not_hold_up_a_batch() -> None:
    crowd = Crowd(FakeModel(), queue=0)
    with crowd.admission.slot(Deadline.after(60)):
        assert [answer.status for answer in crowd.ask(b"1,2\n", b"1,2\n")] == [200, 429]


def test_a_batch_past_the_deadline_is_a_503_for_each() -> None:
    clock = Clock()

    def take_a_while(_: Floats) -> None:
        clock.now += 5

    answers = Crowd(FakeModel(take_a_while), clock=clock).ask(b"1,2\n", b"3,4\n")
    assert [answer.status for answer in answers] == [503, 503]


def test_many_rows_are_several_predictions() -> None:
    model = FakeModel()
    body = b"1,2\n" * 500
    answers = Crowd(model).ask(*[body] * 5)
    assert {answer.body for answer in answers} == {b"3\n" * 500}
    assert model.blocks == [1000, 1000, 500]


def test_many_bytes_are_several_parts_each_to_be_sent_before_the_next() -> None:
    model = FakeModel()
    body = b"1,%s\n" % (b"2" + b" " * (BYTES_PER_PART // 2 - 10))
    parts = Batching(Crowd(model).invocations).parts(asked(*[body] * 5, b"1,2\n"))
    sizes = []
    for part, answers in parts:
        answers()
        sizes.append((len(part), sum(model.blocks)))
    assert sizes == [(2, 2), (2, 4), (2, 6)]


@deprecations.of_boosters
@pytest.mark.parametrize("objective", OBJECTIVES)
@pytest.mark.parametrize("booster", ["gbtree", "dart", "gblinear"])
def test_an_answer_is_the_same_bit_for_bit_in_any_company(
    tmp_path: Path, objective: str, booster: str
) -> None:
    generator = np.random.default_rng(3)
    features = generator.standard_normal((400, 5)).astype(np.float32)
    label = generator.integers(0, 3 if "multi" in objective else 2, 400)
    parameters = {"objective": objective, "booster": booster, "nthread": 1}
    parameters |= {"num_class": 3} if "multi" in objective else {}
    trained = xgb.train(parameters, xgb.DMatrix(features, label), 20)
    (tmp_path / "xgboost-model").write_bytes(trained.save_raw("ubj"))
    rows = [b",".join(b"%r" % cell for cell in row) for row in features.tolist()]
    crowd = Crowd(Scorer.load(tmp_path))
    counts = generator.integers(1, 8, 40)
    bodies = [b"\n".join(rows[i : i + count]) for i, count in enumerate(counts)]
    together = [answer.body for answer in crowd.ask(*bodies)]
    assert together == [answer.body for answer in crowd.ask_each_alone(*bodies)]
    assert [len(body.splitlines()) for body in together] == counts.tolist()


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (b"", True),
        (b"1\n" * 512, True),
        (b"1\n" * 513, False),
        (b"[1]," * 513, False),
        (b"{},  " * 513, False),
        (b"1," * (LARGEST_BODY // 2), True),
        (b"1," * (LARGEST_BODY // 2) + b"1", False),
    ],
)
def test_small_is_few_bytes_and_few_rows(body: bytes, *, expected: bool) -> None:
    found = Batching(Crowd(FakeModel()).invocations)
    assert found.is_small({"CONTENT_TYPE": "text/csv; charset=utf-8"}, body) is expected


def test_what_is_no_text_is_never_small() -> None:
    """Four bytes of it may be a million rows."""
    found = Batching(Crowd(FakeModel()).invocations)
    assert not found.is_small({"CONTENT_TYPE": "application/x-parquet"}, b"PAR1")
    assert not found.is_small({"CONTENT_TYPE": "application/json"}, b'{"datatype": "FP32"}')


def test_what_is_slow_to_answer_is_not_small_whoever_selects_it() -> None:
    class Explaining(FakeModel):
        def form(self, accepted: media.Accepted) -> Form:
            return Form(accepted.name, kinds=(Kind.VALUE, Kind.CONTRIBUTIONS))

    assert not Batching(Crowd(Explaining()).invocations).is_small(CSV, b"1,2\n")


def test_a_refusal_is_small() -> None:
    found = Batching(Crowd(FakeModel()).invocations)
    assert found.is_small({}, b"1,2\n")
    assert found.is_small({**CSV, "HTTP_ACCEPT": "image/png"}, b"1,2\n")


@pytest.mark.parametrize(
    ("seconds_per_row", "rows"), [(1e-6, 512), (1e-3, 10), (4e-3, 2), (10.0, 0)]
)
def test_small_is_what_the_model_predicts_quickly(seconds_per_row: float, rows: int) -> None:
    clock = Clock()

    def take(features: Floats) -> None:
        clock.now += seconds_per_row * len(features)

    batching = Batching(Crowd(FakeModel(take)).invocations)
    batching.measure(clock)
    assert batching.is_small(CSV, b"1,2\n" * rows) is (rows > 0)
    assert not batching.is_small(CSV, b"1,2\n" * (rows + 1))
