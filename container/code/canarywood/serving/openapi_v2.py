"""What /openapi.json says of the Open Inference Protocol, version 2. Standard library only."""

from __future__ import annotations

from typing import Any

from canarywood.media import JSON

Json = dict[str, Any]


def paths(model: str, problems: Json) -> Json:
    """The routes of the one model.

    Args:
        problems: responses that tell of an error, by status.
    """
    folder = f"/v2/models/{model}"
    return {
        "/v2": {"get": _get("Name and version of the server.")},
        "/v2/health/live": {"get": _get("Whether the server lives.")},
        "/v2/health/ready": {"get": _get("Whether requests can be taken.")},
        folder: {"get": _get("Columns and outputs of the model.")},
        f"{folder}/ready": {"get": _get("Whether the model can be asked.")},
        f"{folder}/infer": {
            "post": {
                "summary": "Predict rows.",
                "requestBody": {"required": True, "content": _content("InferRequest")},
                "responses": {
                    "200": {
                        "description": "One tensor an output.",
                        "content": _content("InferResponse"),
                    },
                    **problems,
                },
            }
        },
    }


def schemas() -> Json:
    """Schemas that the routes refer to."""
    text = {"type": "string"}
    shape = {"type": "array", "items": {"type": "integer", "minimum": 0}}
    tensor = {
        "type": "object",
        "required": ["name", "shape", "datatype", "data"],
        "properties": {"name": text, "shape": shape, "datatype": text, "data": {"type": "array"}},
    }
    wanted = {"type": "object", "required": ["name"], "properties": {"name": text}}
    return {
        "InferRequest": {
            "description": "One tensor [rows, columns], or a tensor [rows] for each column.",
            "type": "object",
            "required": ["inputs"],
            "properties": {
                "id": text,
                "inputs": {"type": "array", "minItems": 1, "items": tensor},
                "outputs": {"type": "array", "items": wanted},
            },
        },
        "InferResponse": {
            "type": "object",
            "required": ["model_name", "outputs"],
            "properties": {
                "model_name": text,
                "model_version": text,
                "id": text,
                "outputs": {"type": "array", "items": tensor},
            },
        },
    }


def _get(summary: str) -> Json:
    return {
        "summary": summary,
        "responses": {"200": {"description": "It.", "content": {JSON: {}}}},
    }


def _content(name: str) -> Json:
    return {JSON: {"schema": {"$ref": f"#/components/schemas/{name}"}}}
