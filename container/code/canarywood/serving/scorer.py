"""A loaded model: decode a body, predict its rows, encode the answer.

The one thing that serving and evaluation share, so that the figures of a report are those of
the endpoint. May be loaded before a fork.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from canarywood import media, steps
from canarywood.artifact import Artifact, Manifest
from canarywood.errors import AcceptError, ArtifactError
from canarywood.schema.definition import Schema
from canarywood.serving.decoding import CONTENT_TYPES, Decoder
from canarywood.serving.encoding import ACCEPTS, Encoder, Form, Named
from canarywood.serving.ensemble import Predict, together
from canarywood.serving.foreign import CATEGORY, schema_of
from canarywood.serving.native import Kind, NativeBooster, NativeError
from canarywood.settings import ServeSettings
from canarywood.steps import StepError

__all__ = ["ACCEPTS", "CONTENT_TYPES", "Request", "Scorer"]

Matrix = NDArray[np.float32]
Scores = NDArray[np.float32]


class Request(NamedTuple):  # one is made for every request; a frozen dataclass takes its time
    """A body that was read.

    Attributes:
        features: (rows, features).
        form: how it is answered.
    """

    features: Matrix
    form: Form


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
    _decoder: Decoder
    _encoder: Encoder
    _predict: Predict

    @classmethod
    def load(cls, model_dir: Path, settings: ServeSettings | None = None) -> Scorer:
        """Load the artifact below a folder, ours or AWS's.

        Raises:
            ArtifactError: missing, damaged, a pickle, or too new.
            SettingsError: an output is selected that there is not.
        """
        settings = settings or ServeSettings()
        artifact = Artifact(model_dir)
        artifact.check()
        paths = artifact.model_paths
        boosters = [NativeBooster(path) for path in (paths if settings.ensemble else paths[:1])]
        schema = artifact.schema or schema_of(boosters[0])
        _check_pair(schema, boosters[0])
        predict = _users_predict(model_dir)
        named = Named(
            model=schema.name,
            objective="" if predict else boosters[0].objective,
            features=schema.features,
            classes=schema.target.classes if schema.target else (),
        )
        return cls(
            schema=schema,
            manifest=artifact.manifest,
            objective=boosters[0].objective,
            _decoder=Decoder(schema, settings),
            _encoder=Encoder(named, settings.inference_output),
            _predict=predict or together(boosters),
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

    def form(self, accepted: media.Accepted) -> Form:
        """How a request with this Accept is answered; raises AcceptError."""
        return self._encoder.form(accepted)

    def read(self, body: bytes, content: media.MediaType, form: Form) -> Request:
        """The rows of a body, and how they are answered; raises RequestError."""
        features, request = self._decoder.read(body, content)
        if request is not None:
            form = self._encoder.form_of(request, form)
        return Request(features, form)

    def decode(self, body: bytes, content: media.MediaType) -> Matrix:
        """The rows of a body, (rows, features); raises RequestError."""
        return self._decoder.decode(body, content)

    def predict(self, features: Matrix, kind: Kind = Kind.VALUE) -> Scores:
        """Predictions of a float32 matrix (rows, features): (rows,) or (rows, outputs).

        Raises:
            AcceptError: `unknown_output`, the booster has no contributions or leaves.
        """
        if kind is Kind.VALUE:
            return self._predict(features)
        try:
            return self._predict(features, kind)
        except NativeError as error:
            raise AcceptError(
                f"this kind of booster has no {kind.name.lower()}", code="unknown_output"
            ) from error

    def encode(self, found: Mapping[Kind, Scores], form: Form) -> bytes:
        """The body of an answer: predictions of each of the form's kinds."""
        return self._encoder.encode(found, form)

    def warm_up(self) -> None:
        """Answer one row the whole way, so that no client pays for first uses."""
        for accept in ACCEPTS:
            form = self.form(media.Accepted(accept))
            self.encode({kind: self.predict(self._example(), kind) for kind in form.kinds}, form)
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

    def run(rows: Matrix, kind: Kind = Kind.VALUE) -> Scores:
        if kind is not Kind.VALUE:
            raise NativeError("only values are predicted by the user's own function")
        scores = np.ascontiguousarray(predict(model, rows), dtype=np.float32)
        if scores.ndim not in (1, 2) or len(scores) != len(rows):
            raise StepError(
                f"model/serve.py: predict returned shape {scores.shape} for {len(rows)} rows; "
                "return (rows,) or (rows, outputs)"
            )
        return scores

    return run
