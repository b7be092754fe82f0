"""Every error of the product. Standard library only.

    CanarywoodError
    ├── AlgorithmError            our own bug, or a library's: exit 1, "AlgorithmError: …"
    ├── PlatformError             the machines: a host that is not found, a full disk
    └── UserError                 data, settings or files of the user: exit 1, "UserError: …"
        ├── SettingsError         an environment variable or a project file
        ├── HyperparameterError   a hyperparameter of a training job
        ├── DataError             a file, a column or a table that cannot be used
        ├── ArtifactError         a model artifact that cannot be loaded
        └── RequestError          carries an HTTP status; in a job it is a fault of the data
            ├── BodyError         400  the bytes cannot be decoded
            ├── NotFoundError     404
            ├── MethodError       405
            ├── AcceptError       406
            ├── TooLargeError     413
            ├── MediaTypeError    415
            ├── RowsError         422  decoded, but not rows of this model
            ├── QueueFullError    429  with Retry-After
            └── UnavailableError  503  starting, draining, or out of time

A message says what is wrong, where, and what to do.
"""

from __future__ import annotations

from collections.abc import Mapping
from http import HTTPStatus


class CanarywoodError(Exception):
    """Root of the tree; never raised itself."""

    kind = "AlgorithmError"


class AlgorithmError(CanarywoodError):
    """A fault that the user cannot mend."""


class PlatformError(CanarywoodError):
    """A fault of the machines: a host that is not found, a disk that is full."""

    kind = "PlatformError"


class UserError(CanarywoodError):
    """A fault that the user can mend; the message says how."""

    kind = "UserError"


class SettingsError(UserError):
    """A setting (environment variable, project file) is missing, unknown or out of range."""


class HyperparameterError(UserError):
    """A hyperparameter is unknown, of the wrong type, or refused by XGBoost."""


class DataError(UserError):
    """A data file cannot be read, or does not hold what the schema says."""


class ArtifactError(UserError):
    """A model artifact is missing, damaged, unsafe, or made by a newer version."""


class RequestError(UserError):
    """A request (or a data file, read by the same decoder) is at fault.

    Args:
        detail: what is wrong and what to do, for the client to read.
        code: short machine code; the class's own where none is given.
        row: first row at fault, counted from 1, without the header.
        column: name of the column at fault, or its position from 1.
        headers: further HTTP headers of the answer.
    """

    status = HTTPStatus.BAD_REQUEST
    code = "bad_request"

    def __init__(
        self,
        detail: str,
        *,
        code: str | None = None,
        row: int | None = None,
        column: str | int | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(detail)
        self.detail = detail
        self.code = code or type(self).code
        self.row = row
        self.column = column
        self.headers = dict(headers or {})

    def __str__(self) -> str:
        """The detail with its place, as a log line or a failure file shows it."""
        place = [f"row {self.row}"] if self.row is not None else []
        if self.column is not None:
            place.append(f"column {self.column}")
        return f"{', '.join(place)}: {self.detail}" if place else self.detail


class BodyError(RequestError):
    """The bytes of the body cannot be decoded."""

    code = "body"


class NotFoundError(RequestError):
    """No such path."""

    status = HTTPStatus.NOT_FOUND
    code = "not_found"


class MethodError(RequestError):
    """The path exists, but not with this method; `Allow` says which."""

    status = HTTPStatus.METHOD_NOT_ALLOWED
    code = "method_not_allowed"


class AcceptError(RequestError):
    """No media type that the client accepts can be produced."""

    status = HTTPStatus.NOT_ACCEPTABLE
    code = "not_acceptable"


class TooLargeError(RequestError):
    """The body exceeds the payload limit."""

    status = HTTPStatus.REQUEST_ENTITY_TOO_LARGE
    code = "payload_too_large"


class MediaTypeError(RequestError):
    """The Content-Type is missing or not one of ours."""

    status = HTTPStatus.UNSUPPORTED_MEDIA_TYPE
    code = "unsupported_media_type"


class RowsError(RequestError):
    """The body was decoded, but its rows do not fit the model's schema."""

    status = HTTPStatus.UNPROCESSABLE_ENTITY
    code = "rows"


class QueueFullError(RequestError):
    """The bounded queue is full; the client should come back."""

    status = HTTPStatus.TOO_MANY_REQUESTS
    code = "queue_full"


class UnavailableError(RequestError):
    """Starting, draining, or the deadline has passed."""

    status = HTTPStatus.SERVICE_UNAVAILABLE
    code = "unavailable"
