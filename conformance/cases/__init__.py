"""The cases, one module a chapter; importing this package registers them all."""

from conformance.cases import (
    decoding,
    fuzz,
    jobs,
    lifecycle,
    load,
    output,
    protocol,
    ready,
    training,
)

__all__ = [
    "decoding",
    "fuzz",
    "jobs",
    "lifecycle",
    "load",
    "output",
    "protocol",
    "ready",
    "training",
]
