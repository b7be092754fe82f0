"""The cases, one module a chapter; importing this package registers them all."""

from conformance.cases import (
    archives,
    channels,
    decoding,
    formats,
    fuzz,
    jobs,
    libsvm,
    lifecycle,
    load,
    measures,
    output,
    protocol,
    ready,
    resume,
    selected,
    training,
)

__all__ = [
    "archives",
    "channels",
    "decoding",
    "formats",
    "fuzz",
    "jobs",
    "libsvm",
    "lifecycle",
    "load",
    "measures",
    "output",
    "protocol",
    "ready",
    "resume",
    "selected",
    "training",
]
