"""Every format says the same of a row: what XGBoost predicts for it, bit for bit."""

from __future__ import annotations

import io
import json
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from canarywood import media
from canarywood.errors import RequestError, TooLargeError
from canarywood.formats import recordio
from canarywood.schema.definition import Column, Schema, plain
from canarywood.serving.decoding import Decoder
from canarywood.settings import ServeSettings
from tests.container.serving import bodies
from tests.container.serving.bodies import BODIES
from tests.container.serving.models import World, flights_world, plain_world

ABC = plain(3, ("a", "b", "c"))
WORLDS = {"plain": plain_world, "flights": flights_world}
LIBSVM, RECORDIO, NPY = (media.MediaType(m) for m in (media.LIBSVM, media.RECORDIO, media.NPY))
CSV, JSON = media.MediaType(media.CSV), media.MediaType(media.JSON)
ARROW, PARQUET = media.MediaType(media.ARROW_STREAM), media.MediaType(media.PARQUET)


@pytest.fixture(scope="module", params=WORLDS)
def world(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> World:
    return WORLDS[request.param](tmp_path_factory.mktemp(request.param))


@pytest.mark.parametrize("name", BODIES)
@pytest.mark.parametrize("count", [1, 300])
def test_a_row_is_predicted_as_xgboost_predicts_it(world: World, name: str, count: int) -> None:
    content, body = BODIES[name]
    scorer = world.scorer()
    sent = body(world.rows[:count], world.schema.input_names)
    features = scorer.decode(sent, content)
    np.testing.assert_array_equal(features, world.matrix[:count])
    expected = world.booster.predict(world.data())[:count]
    np.testing.assert_array_equal(scorer.predict(features), expected)
    assert sum(scorer.unknown_categories.values()) == 0


@pytest.mark.parametrize("name", ["libsvm", "recordio", "npy", "parquet"])
def test_zeros_have_one_sign_and_float32_its_own_bits(name: str) -> None:
    rows = [[-0.0, 0.1, 1e-46], [-1e-46, 16777217.0, -0.1]]
    content, body = BODIES[name]
    found = Decoder(plain(3)).decode(body(rows, ("f0", "f1", "f2")), content)
    assert found.tobytes() == (np.array(rows, dtype=np.float32) + np.float32(0)).tobytes()


def test_columns_of_libsvm_count_from_the_base_of_the_schema() -> None:
    schema = replace(plain(2), index_base=1)
    found = Decoder(schema).decode(b"0 1:5 2:6\n\n1 2:7\n", LIBSVM)
    np.testing.assert_array_equal(found, [[5, 6], [np.nan, np.nan], [np.nan, 7]])


@pytest.mark.parametrize("body", [b"\n", b" \n", b"1\n", b"qid:3\n"])
def test_an_empty_libsvm_row_is_a_row_of_missing_values(body: bytes) -> None:
    assert np.isnan(Decoder(plain(2)).decode(body, LIBSVM)).tolist() == [[True, True]]


def test_a_number_that_stands_for_nothing_is_missing_in_every_format() -> None:
    schema = replace(plain(2), missing=("-999", "gone"))
    rows = [[-999.0, 1.0]]
    for content, body in BODIES.values():
        found = Decoder(schema).decode(body(rows, schema.input_names), content)
        np.testing.assert_array_equal(found, [[np.nan, 1]])
    found = Decoder(schema).decode(b"0:gone 1:-9.99e2\n", LIBSVM)
    assert np.isnan(found).all()


def test_float32_rows_come_as_they_are() -> None:
    rows = np.array([[0.1, np.nan], [3.4e38, -1e-40]], dtype=np.float32)
    stream = io.BytesIO()
    np.save(stream, rows)
    for body, content in ((stream.getvalue(), NPY), (recordio.write(rows), RECORDIO)):
        assert Decoder(plain(2)).decode(body, content).tobytes() == rows.tobytes()


# ---- errors


STRICT = Schema(
    "strict",
    None,
    (Column("size", minimum=0, maximum=10), Column("kind", "category", categories=("1", "2"))),
    ("size", "kind"),
    unknown_category="error",
)


def refused(
    body: bytes, content: media.MediaType, schema: Schema = ABC
) -> tuple[int, str, int | None, str | int | None]:
    with pytest.raises(RequestError) as caught:
        Decoder(schema).decode(body, content)
    error = caught.value
    return int(error.status), error.code, error.row, error.column


def npy(values: Any) -> bytes:
    stream = io.BytesIO()
    np.save(stream, np.array(values))
    return stream.getvalue()


@pytest.mark.parametrize(
    ("body", "content", "expected"),
    [
        (b"", LIBSVM, (400, "empty_body", None, None)),
        (b"# nothing\n", LIBSVM, (400, "empty_body", None, None)),
        (b"0:1\n0:1 0:2\n", LIBSVM, (400, "duplicate_index", 2, "a")),
        (b"0:1\n1:x\n", LIBSVM, (400, "number", 2, "b")),
        (b"0:1\n2:1e39\n", LIBSVM, (422, "non_finite", 2, "c")),
        (b"0:1\n3:1\n", LIBSVM, (422, "feature_count", 2, None)),
        (b"a:1\n", LIBSVM, (400, "libsvm", 1, None)),
        (b"0:1\n1,2,3\n", LIBSVM, (400, "number", 2, None)),
        (b"0:\xff\n", LIBSVM, (400, "encoding", 1, None)),
        (b"1,2,3\n", NPY, (400, "npy", None, None)),
        (b"   ", NPY, (400, "npy", None, None)),
        (npy([[1.0, 2.0]]), NPY, (422, "feature_count", 1, None)),
        (npy([[1.0, 2.0, 3.0], [1.0, np.inf, 3.0]]), NPY, (422, "non_finite", 2, "b")),
        (npy(np.zeros((0, 3))), NPY, (400, "empty_body", None, None)),
        (b"1,2,3\n", RECORDIO, (400, "recordio", 1, None)),
        (recordio.write(np.ones((2, 2))), RECORDIO, (422, "feature_count", 1, None)),
        (
            recordio.write(np.array([[1, 2, 3], [1, 2, 1e39]])),
            RECORDIO,
            (422, "non_finite", 2, "c"),
        ),
        (
            recordio.write(np.ones((1, 3))) + recordio.write(np.ones((1, 2))),
            RECORDIO,
            (422, "feature_count", 2, None),
        ),
        (b"PAR1", PARQUET, (400, "parquet", None, None)),
        (b"\n", PARQUET, (400, "parquet", None, None)),
        (b"x", ARROW, (400, "arrow", None, None)),
        (bodies.parquet([[1.0, 2.0]], ("a", "x")), PARQUET, (422, "unknown_feature", 1, "x")),
        (bodies.arrow_file([[1.0, 1e39]], ("a", "c")), ARROW, (422, "non_finite", 1, "c")),
    ],
)
def test_a_bad_body_has_its_code_its_row_and_the_name_of_its_column(
    body: bytes, content: media.MediaType, expected: Any
) -> None:
    assert refused(body, content) == expected


@pytest.mark.parametrize("name", BODIES)
@pytest.mark.parametrize(
    ("row", "expected"),
    [([11.0, 1.0], (422, "range", 2, "size")), ([5.0, 3.0], (422, "unknown_category", 2, "kind"))],
)
def test_the_schema_is_held_in_every_format(name: str, row: list[float], expected: Any) -> None:
    content, body = BODIES[name]
    sent = body([[1.0, 1.0], row], STRICT.input_names)
    assert refused(sent, content, STRICT) == expected


def test_a_duplicate_key_of_a_record_is_named() -> None:
    tensor = b"\x0a\x08" + np.array([1, 2], "<f4").tobytes() + b"\x12\x02\x01\x01"
    value = b"\x12" + bytes([len(tensor)]) + tensor
    entry = b"\x0a\x06values\x12" + bytes([len(value)]) + value
    body = recordio.framed(b"\x0a" + bytes([len(entry)]) + entry)
    assert refused(body, RECORDIO) == (400, "duplicate_index", 1, "b")


@pytest.mark.parametrize("name", BODIES)
@pytest.mark.parametrize("schema", [ABC, STRICT], ids=lambda schema: schema.name)
def test_a_damaged_body_is_read_or_refused_and_never_a_fault_of_ours(
    name: str, schema: Schema
) -> None:
    content, body = BODIES[name]
    decoder = Decoder(schema)
    sent = body([[1.0, 2.0, 0.5][: len(schema.inputs)]] * 3, schema.input_names)
    random = np.random.default_rng(7)
    for _ in range(300):
        damaged = bytearray(sent)
        for place in random.integers(0, len(sent), random.integers(1, 4)):
            damaged[place] = random.integers(256)
        end = len(sent) if random.random() < 0.7 else int(random.integers(1, len(sent) + 1))
        try:
            found = decoder.decode(bytes(damaged[:end]), content)
        except RequestError as error:
            assert error.status in (400, 413, 422)  # noqa: PT017 - it need not be raised
        else:
            assert found.dtype == np.float32
            assert found.shape[1] == len(schema.features)
            assert not np.isinf(found).any()


# ---- parameters of csv


def test_a_label_is_dropped_also_below_a_header() -> None:
    decoder = Decoder(plain(2, ("a", "b")))
    content = media.content_type("text/csv; label_size=1", (media.CSV,))
    for body in (b"9,1,2\n", b"x,1,2\n", b"label,a,b\n9,1,2\n", b"label,b,a\n9,2,1\n", b",1,2"):
        assert decoder.decode(body, content).tolist() == [[1, 2]]
    for body in (b"9,1\n", b"9\n"):
        with pytest.raises(RequestError) as caught:
            decoder.decode(body, content)
        assert (caught.value.code, caught.value.row) == ("feature_count", 1)


def test_a_header_is_there_or_not_where_the_type_says_so() -> None:
    schema = Schema(
        "s", None, (Column("a", "category", categories=("a", "b")), Column("b")), ("a", "b")
    )
    absent = media.content_type("text/csv; header=absent", (media.CSV,))
    present = media.content_type("text/csv; header=present", (media.CSV,))
    assert Decoder(schema).decode(b"b,1\n", absent).tolist() == [[1, 1]]
    assert refused(b"b,1\n", present, schema) == (422, "unknown_feature", None, "1")
    assert Decoder(schema).decode(b"b,a\n1,b\n", present).tolist() == [[1, 1]]
    assert refused(b"b,a\n", present, schema) == (400, "empty_body", None, None)


# ---- limits


@pytest.mark.parametrize("name", BODIES)
@pytest.mark.parametrize(
    ("settings", "code"),
    [({"max_rows": 9}, "too_many_rows"), ({"max_cells": 18}, "too_many_cells")],
)
def test_so_many_rows_are_taken_and_one_more_is_a_413(
    name: str, settings: dict[str, int], code: str
) -> None:
    content, body = BODIES[name]
    decoder = Decoder(plain(2, ("a", "b")), ServeSettings(**settings))
    for count in (8, 9):
        assert len(decoder.decode(body([[1.0, 2.0]] * count, ("a", "b")), content)) == count
    with pytest.raises(TooLargeError) as caught:
        decoder.decode(body([[1.0, 2.0]] * 10, ("a", "b")), content)
    assert (caught.value.status, caught.value.code) == (413, code)


def test_a_header_is_no_row_of_the_limit() -> None:
    decoder = Decoder(plain(2, ("a", "b")), ServeSettings(max_rows=2))
    assert len(decoder.decode(b"a,b\n1,2\n3,4\n", CSV)) == 2
    with pytest.raises(TooLargeError):
        decoder.decode(b"a,b\n1,2\n3,4\n5,6\n", CSV)


@pytest.mark.parametrize("name", BODIES)
def test_a_model_of_many_columns_takes_just_so_many(name: str) -> None:
    content, body = BODIES[name]
    decoder = Decoder(plain(2000))
    names = decoder.reader.names
    assert decoder.decode(body([[1.0] * 2000], names), content).shape == (1, 2000)
    with pytest.raises(RequestError) as caught:
        decoder.decode(body([[1.0] * 2001], (*names, "more")), content)
    assert caught.value.code in ("feature_count", "unknown_feature")
    if name in ("csv", "csv with label", "json rows", "jsonlines", "recordio", "npy", "v2 rows"):
        with pytest.raises(RequestError) as caught:
            decoder.decode(body([[1.0] * 1999], names[:1999]), content)
        assert caught.value.code == "feature_count"


def test_a_row_of_a_hundred_thousand_cells_is_refused_like_a_short_one() -> None:
    assert refused(b",".join([b"1"] * 100_000), CSV) == (422, "feature_count", 1, None)
    assert refused(b",".join([b"a"] * 100_000) + b"\n1", CSV)[:2] == (400, "duplicate_column")
    assert refused(json.dumps([["x"] * 100_000]).encode(), JSON) == (422, "feature_count", 1, None)


def test_a_huge_cell_makes_a_short_message() -> None:
    for body, content in (
        ("1,2," + "x" * 200_000, CSV),
        ('1,2,"' + "x" * 200_000 + '"', CSV),
        (json.dumps([[1, 2, "x" * 200_000]]), JSON),
        (json.dumps({"z" * 200_000: 1}), JSON),
    ):
        with pytest.raises(RequestError) as caught:
            Decoder(ABC).decode(body.encode(), content)
        assert len(str(caught.value)) < 300
