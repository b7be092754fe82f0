"""Predictions -> bytes of an answer: what it holds, and its type. Needs numpy and orjson."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import orjson
from numpy.typing import NDArray

from canarywood import media
from canarywood.errors import AcceptError, BodyError, SettingsError
from canarywood.formats import answers, oip, outputs, recordio
from canarywood.formats.oip import InferRequest
from canarywood.formats.outputs import KEYS, Column
from canarywood.serving.native import Kind

ACCEPTS = (media.CSV, media.JSON, media.JSON_LINES, media.RECORDIO)
SCORE = "score"  # what the predictions are called where nothing is selected
CONTRIBUTIONS, LEAVES = "contributions", "leaves"
VERSION = "1"  # of the one model that is served, in the version 2 protocol

Scores = NDArray[np.float32]

_OF_KIND = {CONTRIBUTIONS: Kind.CONTRIBUTIONS, LEAVES: Kind.LEAVES}
_WRITERS: Mapping[str, Callable[[Sequence[Column], int], bytes]] = {
    media.CSV: answers.as_csv,
    media.JSON: answers.as_json,
    media.JSON_LINES: answers.as_json_lines,
    media.RECORDIO: answers.as_recordio,
}


@dataclass(frozen=True)
class Form:
    """How a request is answered.

    Attributes:
        media: type of the answer.
        outputs: what is selected; nothing: the predictions alone.
        kinds: the predictions that the outputs are made of.
        is_asked: the client named the type of the answer.
        is_v2: the answer is one of the version 2 protocol.
        identifier: of a version 2 request.
    """

    media: str
    outputs: tuple[str, ...] = ()
    kinds: tuple[Kind, ...] = (Kind.VALUE,)
    is_asked: bool = False
    is_v2: bool = False
    identifier: str | None = None


@dataclass(frozen=True)
class Named:
    """Names that an answer holds.

    Attributes:
        model: its name.
        objective: XGBoost's name of it; empty where the predictions are the user's own.
        features: in the order of the matrix.
        classes: in the order of their numbers; empty where they have no names.
    """

    model: str
    objective: str
    features: tuple[str, ...]
    classes: tuple[str, ...] = ()


class Encoder:
    """Encodes the answers of one model."""

    def __init__(self, named: Named, selected: str = "") -> None:
        """
        Args:
            selected: outputs of a request that asks for none itself.

        Raises:
            SettingsError: there is no such output.
        """
        self._named = named
        try:
            self._default = outputs.keys(selected, named.objective)
        except SettingsError as error:
            raise SettingsError(f"SAGEMAKER_INFERENCE_OUTPUT: {error}") from error
        bias = "bias"
        while bias in named.features:
            bias = f"_{bias}"
        self._parts = (*named.features, bias)

    def form(self, accepted: media.Accepted) -> Form:
        """How a request with this Accept is answered; AcceptError `unknown_output`."""
        selected = self._default if accepted.outputs is None else accepted.outputs
        self._check(selected)
        return Form(accepted.name, selected, self._kinds(selected), accepted.is_asked)

    def form_of(self, request: InferRequest, form: Form) -> Form:
        """How a version 2 request is answered: by its own rule, unless it asks for another type."""
        if form.is_asked and form.media != media.JSON:
            return form
        selected = request.outputs or form.outputs or (SCORE,)
        lost = [name for name in request.outputs if name not in (SCORE, *self._valued())]
        if lost:
            raise BodyError(
                f"the model has no output {lost[0][:40]!r}; it has "
                f"{', '.join((SCORE, *self._valued()))}",
                code="oip",
            )
        return dataclasses.replace(
            form,
            media=media.JSON,
            outputs=selected,
            kinds=self._kinds(selected),
            is_v2=True,
            identifier=request.id,
        )

    def encode(self, found: Mapping[Kind, Scores], form: Form) -> bytes:
        """The body of an answer; of numbers the shortest text that reads back as the same float32.

        Args:
            found: predictions of each of the form's kinds.
        """
        if form.is_v2:
            return self._v2(found, form)
        if not form.outputs:
            return plain(found[Kind.VALUE], form.media)
        columns = self._columns(found, form)
        return _WRITERS[form.media](columns, len(found[form.kinds[0]]))

    def _v2(self, found: Mapping[Kind, Scores], form: Form) -> bytes:
        tensors: dict[str, NDArray[Any] | Sequence[str]] = {
            column.name: column.values
            for column in self._columns(found, form)
            if column.values is not None
        }
        return oip.answer(
            tensors, model=self._named.model, version=VERSION, identifier=form.identifier
        )

    def _columns(self, found: Mapping[Kind, Scores], form: Form) -> list[Column]:
        keys = [name for name in form.outputs if name in KEYS]
        columns = {}
        if keys:
            made = outputs.columns(
                keys,
                objective=self._named.objective,
                predictions=found[Kind.VALUE],
                margins=found.get(Kind.MARGIN),
                classes=self._named.classes,
            )
            columns = {column.name: column for column in made}
        if SCORE in form.outputs:
            columns[SCORE] = Column(SCORE, found[Kind.VALUE])
        if Kind.CONTRIBUTIONS in found:
            columns[CONTRIBUTIONS] = Column(CONTRIBUTIONS, found[Kind.CONTRIBUTIONS], self._parts)
        if Kind.LEAVES in found:
            columns[LEAVES] = Column(LEAVES, found[Kind.LEAVES].astype(np.int32))
        return [columns[name] for name in form.outputs]

    def _check(self, selected: Sequence[str]) -> None:
        """Raise where there is no such output, or one is there twice."""
        ours = self._valued()
        unknown = [name for name in selected if name not in KEYS and name not in ours]
        if unknown or len(set(selected)) < len(selected):
            what = f"no output {unknown[0][:40]!r}" if unknown else "an output is asked for twice"
            raise AcceptError(f"{what}; choose from {', '.join(ours)}", code="unknown_output")

    def _valued(self) -> tuple[str, ...]:
        """The outputs that have a value for this model."""
        further = (CONTRIBUTIONS, LEAVES) if self._named.objective else ()
        return (*outputs.valid_keys(self._named.objective), *further)

    def _kinds(self, selected: Sequence[str]) -> tuple[Kind, ...]:
        keys = [name for name in selected if name in KEYS]
        kinds = [Kind.VALUE] if keys or not selected or SCORE in selected else []
        if outputs.needs_margins(keys, self._named.objective):
            kinds.append(Kind.MARGIN)
        return (*kinds, *(kind for name, kind in _OF_KIND.items() if name in selected))


def plain(scores: Scores, accept: str) -> bytes:
    """Predictions, (rows,) or (rows, outputs), as one of ACCEPTS."""
    if accept == media.RECORDIO:
        return recordio.scores(scores)
    rows = _texts(scores)
    if accept == media.CSV:
        return b"\n".join(rows).replace(b"null", b"") + b"\n"
    if scores.ndim > 1:
        rows = [b"[%b]" % row for row in rows]
    if accept == media.JSON_LINES:
        return b'{"score":%b}\n' % b'}\n{"score":'.join(rows)
    return b'{"predictions":[{"score":%b}]}' % b'},{"score":'.join(rows)


def _texts(scores: Scores) -> list[bytes]:
    text = orjson.dumps(np.ascontiguousarray(scores), option=orjson.OPT_SERIALIZE_NUMPY)
    return text[1:-1].split(b",") if scores.ndim == 1 else text[2:-2].split(b"],[")
