"""Media types: parsing Content-Type, choosing by Accept. Standard library only.

Source: RFC 9110, sections 8.3 and 12.5.1.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from canarywood.errors import AcceptError, MediaTypeError

CSV = "text/csv"
JSON = "application/json"
JSON_LINES = "application/jsonlines"
PROBLEM = "application/problem+json"
PARQUET = "application/x-parquet"
LIBSVM = "text/libsvm"
RECORDIO = "application/x-recordio-protobuf"
ARROW_STREAM = "application/vnd.apache.arrow.stream"
ARROW_FILE = "application/vnd.apache.arrow.file"
NPY = "application/x-npy"

# Other spellings that clients and SageMaker's own examples use.
ALIASES = {
    "csv": CSV,
    "application/csv": CSV,
    "json": JSON,
    "text/json": JSON,
    "application/x-jsonlines": JSON_LINES,
    "application/jsonl": JSON_LINES,
    "application/x-ndjson": JSON_LINES,
    "parquet": PARQUET,
    "application/vnd.apache.parquet": PARQUET,
    "libsvm": LIBSVM,
    "text/x-libsvm": LIBSVM,
    "recordio-protobuf": RECORDIO,
    "application/npy": NPY,
}

# Parameters that change how a body is read, and what they may be.
PARAMETERS = {CSV: {"label_size": ("0", "1"), "header": ("present", "absent")}}

_between_commas = re.compile(r'(?:[^,"]|"[^"]*"?)+').findall


@dataclass(frozen=True)
class MediaType:
    """A media type in lower case, aliases resolved, with its parameters."""

    name: str
    parameters: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Accepted:
    """What a client takes as an answer.

    Attributes:
        name: one of the types that were offered.
        outputs: of its parameter `outputs`; None where there is none.
        is_asked: the client named the type, it did not just take any.
    """

    name: str
    outputs: tuple[str, ...] | None = None
    is_asked: bool = False


def parse(header: str) -> MediaType:
    """`Text/CSV; charset=UTF-8` -> MediaType("text/csv", {"charset": "UTF-8"})."""
    name, *rest = header.split(";")
    parameters = {}
    for piece in rest:
        key, _, value = piece.partition("=")
        if key.strip():
            parameters[key.strip().lower()] = value.strip().strip('"')
    name = name.strip().lower()
    return MediaType(ALIASES.get(name, name), parameters)


def content_type(header: str | None, supported: Sequence[str]) -> MediaType:
    """The type of a request's body; raises MediaTypeError (415) with the list of ours."""
    if not header or not header.strip():
        raise MediaTypeError(f"Content-Type is missing; send one of {', '.join(supported)}")
    found = parse(header)
    if found.name not in supported:
        ours = ", ".join(supported)
        raise MediaTypeError(f"Content-Type {found.name[:99]!r} is not supported; send {ours}")
    charset = found.parameters.get("charset", "utf-8").lower()
    if charset not in ("utf-8", "utf8", "us-ascii"):
        raise MediaTypeError(f"charset {charset[:40]!r} is not supported; send utf-8")
    for name, values in PARAMETERS.get(found.name, {}).items():
        value = found.parameters.get(name, values[0])
        if value not in values:
            ours = " or ".join(values)
            raise MediaTypeError(f"{name}={value[:40]!r} is not supported; send {name}={ours}")
    return MediaType(found.name, _telling(found))


def _telling(found: MediaType) -> dict[str, str]:
    """The parameters that change how a body is read, where they are not what is usual."""
    known = PARAMETERS.get(found.name, {})
    told = {name: value for name, value in found.parameters.items() if name in known}
    return {name: value for name, value in told.items() if (name, value) != ("label_size", "0")}


def choose(accept: str | None, offered: Sequence[str]) -> str:
    """The best of `offered` for an Accept header; see accepted."""
    return accepted(accept, offered).name


def accepted(accept: str | None, offered: Sequence[str]) -> Accepted:
    """The best of `offered` for an Accept header; the first where the client does not care.

    The client's weight decides, then its most specific range, then our order. The parameter
    `outputs` lists what the answer shall hold: `application/json; outputs=predicted_label,labels`.
    Raises AcceptError (406) where nothing fits.
    """
    if not accept or not accept.strip() or accept.strip() == "*/*":
        return Accepted(offered[0])
    ranges = [(parse(piece), _weight(piece)) for piece in _ranges(accept)]
    best, best_weight = None, 0.0
    for offer in offered:
        weight, found = _best_range(offer, ranges)
        if found is not None and weight > best_weight:
            best, best_weight = Accepted(offer, _outputs(found), found.name == offer), weight
    if best is None:
        raise AcceptError(f"Accept {accept[:100]!r} cannot be met; ask for {', '.join(offered)}")
    return best


def _ranges(accept: str) -> Iterator[str]:
    """The ranges of an Accept header; a comma in quotes, or in a list of outputs, parts none."""
    current = ""
    for piece in _between_commas(accept):
        name = piece.partition(";")[0].strip().lower()
        if "outputs" in current.lower() and "/" not in name and name not in ALIASES:
            current += f",{piece}"
            continue
        if current.strip():
            yield current
        current = piece
    if current.strip():
        yield current


def _outputs(found: MediaType) -> tuple[str, ...] | None:
    text = found.parameters.get("outputs")
    return None if text is None else tuple(name.strip() for name in text.split(","))


def _weight(piece: str) -> float:
    """The q of one range: 1 where none is given, 0 where it cannot be read."""
    text = parse(piece).parameters.get("q", "1")
    try:
        weight = float(text)
    except ValueError:
        return 0.0
    return weight if 0 <= weight <= 1 else 0.0


def _best_range(
    offer: str, ranges: Sequence[tuple[MediaType, float]]
) -> tuple[float, MediaType | None]:
    """The weight that the most specific matching range gives to an offer, and that range."""
    specific = {offer: 2, offer.split("/")[0] + "/*": 1, "*/*": 0}
    matching = [(specific[r.name], q, r) for r, q in ranges if r.name in specific]
    if not matching:
        return 0.0, None
    _, weight, found = max(matching, key=lambda item: item[:2])
    return weight, found
