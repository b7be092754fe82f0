"""Media types: parsing Content-Type, choosing by Accept. Standard library only.

Source: RFC 9110, sections 8.3 and 12.5.1.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from canarywood.errors import AcceptError, MediaTypeError

CSV = "text/csv"
JSON = "application/json"
JSON_LINES = "application/jsonlines"
PROBLEM = "application/problem+json"
PARQUET = "application/x-parquet"

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
}


@dataclass(frozen=True)
class MediaType:
    """A media type in lower case, aliases resolved, with its parameters."""

    name: str
    parameters: dict[str, str] = field(default_factory=dict)


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
    return found


def choose(accept: str | None, offered: Sequence[str]) -> str:
    """The best of `offered` for an Accept header; the first where the client does not care.

    The client's weight decides, then its most specific range, then our order. Raises
    AcceptError (406) where nothing fits.
    """
    if not accept or not accept.strip() or accept.strip() == "*/*":
        return offered[0]
    ranges = [(parse(piece), _weight(piece)) for piece in accept.split(",") if piece.strip()]
    best, best_weight = "", 0.0
    for offer in offered:
        weight = _weight_of(offer, ranges)
        if weight > best_weight:
            best, best_weight = offer, weight
    if not best:
        raise AcceptError(f"Accept {accept[:100]!r} cannot be met; ask for {', '.join(offered)}")
    return best


def _weight(piece: str) -> float:
    """The q of one range: 1 where none is given, 0 where it cannot be read."""
    text = parse(piece).parameters.get("q", "1")
    try:
        weight = float(text)
    except ValueError:
        return 0.0
    return weight if 0 <= weight <= 1 else 0.0


def _weight_of(offer: str, ranges: Sequence[tuple[MediaType, float]]) -> float:
    """The weight that the most specific matching range gives to an offer."""
    specific = {offer: 2, offer.split("/")[0] + "/*": 1, "*/*": 0}
    matching = [(specific[r.name], q) for r, q in ranges if r.name in specific]
    return max(matching)[1] if matching else 0.0
