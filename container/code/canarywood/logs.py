"""Logs: one JSON object a line on stdout, events with fields. Standard library only.

    log = logging.getLogger(__name__)
    log.info("worker ready", extra=fields(pid=12))
    {"time": "2026-01-31T12:00:00.000Z", "level": "info", "event": "worker ready", "pid": 12, ...}

stderr is left to the one line for people that says why a command failed.
"""

from __future__ import annotations

import itertools
import json
import logging
import sys
from datetime import UTC, datetime
from typing import Any, TextIO

STACK_CHARACTERS = 8000  # CloudWatch cuts an event at 256 KB


def fields(**values: object) -> dict[str, dict[str, object]]:
    """The `extra` of a logging call: fields of the event."""
    return {"fields": values}


class JsonLines(logging.Formatter):
    """A record as one line of JSON, its fields beside the event."""

    def format(self, record: logging.LogRecord) -> str:
        """`{"time", "level", "event", ..fields.., "logger", "process"}`."""
        line: dict[str, Any] = {
            "time": _utc(record.created),
            "level": record.levelname.lower(),
            "event": record.getMessage(),
            **getattr(record, "fields", {}),
            "logger": record.name,
            "process": record.process,
        }
        if record.exc_info:
            line["stack"] = self.formatException(record.exc_info)[-STACK_CHARACTERS:]
        return json.dumps(line, default=str, ensure_ascii=False, separators=(",", ":"))


def configure(level: int, stream: TextIO | None = None) -> None:
    """Send every logger's events to stdout (or `stream`) as JSON lines; once a process."""
    handler = logging.StreamHandler(stream or sys.stdout)
    handler.setFormatter(JsonLines())
    root = logging.getLogger()
    for old in list(root.handlers):
        root.removeHandler(old)
    root.addHandler(handler)
    root.setLevel(level)


class Share:
    """Picks a share of a sequence, evenly: with 0.25 the first, then every fourth.

    Thread-safe without a lock: `next` of a counter is one step of the interpreter.
    """

    def __init__(self, share: float) -> None:
        self._share = share
        self._count = itertools.count()

    def picks(self) -> bool:
        """Whether the next one belongs to the share."""
        index = next(self._count)
        return _ceiling((index + 1) * self._share) > _ceiling(index * self._share)


def _ceiling(value: float) -> int:
    return -int(-value // 1)


def _utc(seconds: float) -> str:
    text = datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds")
    return text.replace("+00:00", "Z")
