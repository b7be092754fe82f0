"""A loaded model: decode a body, predict its rows, encode the answer.

The one thing that serving and evaluation share, so that the figures of a report are those of
the endpoint. May be loaded before a fork.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from canarywood import media, steps
from canarywood.artifact import Artifact, Manifest
from canarywood.errors import ArtifactError
from canarywood.schema.definition import Schema
from canarywood.serving import codec
from canarywood.serving.foreign import CATEGORY, schema_of
from canarywood.serving.native import NativeBooster
from canarywood.steps import StepError

CONTENT_TYPES = (media.CSV, media.JSON, media.JSON_LINES)
ACCEPTS = (media.CSV, media.JSON, media.JSON_LINES)

Matrix = NDArray[np.float32]
Scores = NDArray[np.float32]
Predict = Callable[[Matrix], Scores]


@dataclass(frozen=True)
class Scorer:
    """A model that is ready to answer. Thread-safe.

    Attributes:
        schema: the data contract; for a foreign artifact one made of the booster's own names.
        manifest: None for a foreign artifact.
        objective: XGBoost's name of it.
    """

    schema: Schema
    manifest: Manifest | None
    objective: str
    _decoder: codec.Decoder
    _predict: Predict

    @classmethod
    def load(cls, model_dir: Path) -> Scorer:
        """Load the artifact below a folder, ours or AWS's.

        Raises:
            ArtifactError: missing, damaged, a pickle, or too new.
        """
        artifact = Artifact(model_dir)
        artifact.check()
        booster = NativeBooster(artifact.model_path)
        schema = artifact.schema or schema_of(booster)
        _check_pair(schema, booster)
        return cls(
            schema=schema,
            manifest=artifact.manifest,
            objective=booster.objective,
            _decoder=codec.Decoder(schema),
            _predict=_users_predict(model_dir) or booster.predict,
        )

    @property
    def outputs(self) -> int:
        """Numbers that a row is answered with."""
        scores = self.predict(self._example())
        return 1 if scores.ndim == 1 else int(scores.shape[1])

    @property
    def unknown_categories(self) -> Mapping[str, int]:
        """By column, how many cells held a category that training never saw (this process)."""
        return self._decoder.reader.unknown

    def decode(self, body: bytes, content: media.MediaType) -> Matrix:
        """The rows of a body, (rows, features); raises RequestError."""
        return self._decoder.decode(body, content)

    def predict(self, features: Matrix) -> Scores:
        """Predictions of a float32 matrix (rows, features): (rows,) or (rows, outputs)."""
        return self._predict(features)

    def encode(self, scores: Scores, accept: str) -> bytes:
        """Predictions as one of ACCEPTS."""
        return codec.encode(scores, accept)

    def warm_up(self) -> None:
        """Answer one row the whole way, so that no client pays for first uses."""
        scores = self.predict(self._example())
        for accept in ACCEPTS:
            self.encode(scores, accept)
        row = b"[[" + b",".join([b"null"] * len(self.schema.inputs)) + b"]]"
        self.decode(row, media.MediaType(media.JSON))

    def _example(self) -> Matrix:
        return np.zeros((1, len(self.schema.features)), dtype=np.float32)


def _check_pair(schema: Schema, booster: NativeBooster) -> None:
    """Schema and booster are of one training; raises ArtifactError where they cannot be."""
    if len(schema.features) != booster.features:
        raise ArtifactError(
            f"schema.json describes {len(schema.features)} features, "
            f"the booster takes {booster.features}; they are not of one training"
        )
    ours = zip(schema.features, schema.feature_types, strict=True)
    names, types = booster.names or schema.features, booster.types or schema.feature_types
    for (name, kind), their_name, their_kind in zip(ours, names, types, strict=True):
        if name != their_name or (kind == CATEGORY) != (their_kind == CATEGORY):
            raise ArtifactError(
                f"feature {name!r} ({kind}) of schema.json is {their_name!r} ({their_kind}) "
                "in the booster; they are not of one training"
            )


def _users_predict(model_dir: Path) -> Predict | None:
    """The predict of model/serve.py around its load, where the user wrote one."""
    predict = steps.find("serve", "predict")
    if predict is None:
        return None
    model = steps.load("serve", "load")(model_dir)

    def run(features: Matrix) -> Scores:
        scores = np.ascontiguousarray(predict(model, features), dtype=np.float32)
        if scores.ndim not in (1, 2) or len(scores) != len(features):
            raise StepError(
                f"model/serve.py: predict returned shape {scores.shape} for {len(features)} rows; "
                "return (rows,) or (rows, outputs)"
            )
        return scores

    return run
