"""/openapi.json: the routes and rows of this very model, OpenAPI 3.1."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from canarywood import __version__
from canarywood.formats.outputs import KEYS
from canarywood.media import CSV, JSON, JSON_LINES, PROBLEM
from canarywood.schema.definition import Column, Schema
from canarywood.serving import openapi_v2
from canarywood.serving.decoding import CONTENT_TYPES
from canarywood.serving.encoding import CONTRIBUTIONS, LEAVES

Json = dict[str, Any]

PROBLEMS = {
    400: "The body cannot be decoded.",
    406: "No type, or no output, that Accept asks for can be produced.",
    413: "The body is too large, or holds too many rows.",
    415: "Content-Type is missing or not one of ours.",
    422: "The rows do not fit the model; row and column say where.",
    429: "All slots are busy and the queue is full; Retry-After says when to come back.",
    500: "A fault of the server; its log has more under the request_id.",
    503: "Starting, shutting down, or past the deadline.",
}


def document(schema: Schema, outputs: int, accepts: Sequence[str]) -> Json:
    """The OpenAPI document of a model.

    Args:
        outputs: numbers that a row is answered with.
        accepts: types of an answer, the default first.
    """
    return {
        "openapi": "3.1.0",
        "info": {
            "title": schema.name,
            "version": __version__,
            "description": _target(schema),
        },
        "paths": {
            "/ping": {"get": _ping()},
            "/invocations": {"post": _invocation(schema, accepts)},
            "/execution-parameters": {"get": _get("Limits of a batch transform job.", JSON)},
            "/metrics": {"get": _get("Counters of all workers.", "text/plain")},
            "/openapi.json": {"get": _get("This document.", JSON)},
            **openapi_v2.paths(schema.name, _problem_responses()),
        },
        "components": {
            "schemas": {
                "Record": _record(schema),
                "Row": _row(schema),
                "Predictions": _predictions(outputs),
                "Problem": _problem(),
                **openapi_v2.schemas(),
            }
        },
    }


def example_record(schema: Schema) -> Json:
    """A row that the model answers, by column name."""
    return {column.name: _example(column) for column in schema.inputs}


def _target(schema: Schema) -> str:
    if schema.target is None:
        return "Predictions of an XGBoost model."
    classes = ", ".join(schema.target.classes)
    ending = f" ({classes})" if classes else ""
    return f"Predicts {schema.target.column}: {schema.target.task}{ending}."


def _ping() -> Json:
    return {
        "summary": "Whether requests can be taken.",
        "responses": {
            "200": {"description": "Ready."},
            "503": _problem_response("Starting, shutting down, or no worker is ready."),
        },
    }


def _get(summary: str, media_type: str) -> Json:
    return {
        "summary": summary,
        "responses": {"200": {"description": "It.", "content": {media_type: {}}}},
    }


def _invocation(schema: Schema, accepts: Sequence[str]) -> Json:
    record = example_record(schema)
    row = list(record.values())
    rows = {
        "type": "array",
        "minItems": 1,
        "items": {"oneOf": [_reference("Record"), _reference("Row")]},
    }
    instances = {"type": "object", "required": ["instances"], "properties": {"instances": rows}}
    line = ",".join("" if cell is None else f"{cell}" for cell in row)
    return {
        "summary": "Predict rows.",
        "description": "The parameter `outputs` of Accept says what a row is answered with: "
        f"`{JSON}; outputs=predicted_label,{CONTRIBUTIONS}`.",
        "requestBody": {
            "required": True,
            "content": {
                CSV: {
                    "schema": {"type": "string"},
                    "example": f"{','.join(record)}\n{line}\n",
                },
                JSON: {
                    "schema": {
                        "oneOf": [
                            instances,
                            rows,
                            _reference("Record"),
                            _reference("InferRequest"),
                        ]
                    },
                    "examples": {
                        "records": {"value": {"instances": [record]}},
                        "rows": {"value": {"instances": [row]}},
                    },
                },
                JSON_LINES: {"schema": {"oneOf": [_reference("Record"), _reference("Row")]}},
                **{name: {} for name in CONTENT_TYPES if name not in (CSV, JSON, JSON_LINES)},
            },
        },
        "responses": {
            "200": {
                "description": "One prediction a row, in order.",
                "content": {
                    accept: {"schema": _reference("Predictions")} if accept == JSON else {}
                    for accept in accepts
                },
            },
            **_problem_responses(),
        },
    }


def _record(schema: Schema) -> Json:
    content: Json = {
        "type": "object",
        "properties": {column.name: _value(column) for column in schema.inputs},
        "additionalProperties": False,
        "examples": [example_record(schema)],
    }
    if schema.absent_column == "error":
        content["required"] = list(schema.input_names)
    return content


def _row(schema: Schema) -> Json:
    return {
        "type": "array",
        "prefixItems": [{"title": column.name, **_value(column)} for column in schema.inputs],
        "minItems": len(schema.inputs),
        "maxItems": len(schema.inputs),
        "examples": [list(example_record(schema).values())],
    }


def _value(column: Column) -> Json:
    """The JSON Schema of a cell; null is a missing one."""
    if column.kind == "number":
        bounds = {"minimum": column.minimum, "maximum": column.maximum}
        return {
            "type": ["number", "null"],
            **{name: bound for name, bound in bounds.items() if bound is not None},
        }
    content: Json = {"type": ["string", "null"]}
    if column.categories:
        content["description"] = f"In training: {', '.join(column.categories[:50])}"
    return content


def _example(column: Column) -> str | float | None:
    if column.kind == "category":
        return column.categories[0] if column.categories else None
    if column.kind == "time":
        return "2024-01-31 12:00:00"
    low, high = (
        column.low if column.low is not None else column.minimum,
        column.high if column.high is not None else column.maximum,
    )
    if low is None or high is None:
        return low if low is not None else high if high is not None else 0.0
    return round((low + high) / 2, 3) if low <= round((low + high) / 2, 3) <= high else low


def _predictions(outputs: int) -> Json:
    number = {"type": ["number", "null"]}
    score = (
        number
        if outputs == 1
        else {"type": "array", "items": number, "minItems": outputs, "maxItems": outputs}
    )
    item = {"type": "object", "required": ["score"], "properties": {"score": score}}
    selected = {
        "description": "Where outputs are selected: those.",
        "type": "object",
        "properties": {name: {} for name in (*KEYS, CONTRIBUTIONS, LEAVES)},
        "minProperties": 1,
        "additionalProperties": False,
    }
    return {
        "type": "object",
        "required": ["predictions"],
        "properties": {"predictions": {"type": "array", "items": {"anyOf": [item, selected]}}},
    }


def _problem() -> Json:
    text = {"type": "string"}
    return {
        "description": "RFC 9457; rows and unnamed columns count from 1.",
        "type": "object",
        "required": ["type", "title", "status", "code", "detail", "request_id"],
        "properties": {
            "type": text,
            "title": text,
            "status": {"type": "integer"},
            "code": text,
            "detail": text,
            "request_id": text,
            "row": {"type": "integer", "minimum": 1},
            "column": {"type": ["string", "integer"]},
        },
    }


def _problem_responses() -> Json:
    return {str(status): _problem_response(text) for status, text in PROBLEMS.items()}


def _problem_response(description: str) -> Json:
    return {"description": description, "content": {PROBLEM: {"schema": _reference("Problem")}}}


def _reference(name: str) -> Json:
    return {"$ref": f"#/components/schemas/{name}"}
