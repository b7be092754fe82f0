"""Subject: a server that runs already; nothing can be started or stopped."""

from __future__ import annotations

import signal
from pathlib import Path
from urllib.parse import urlsplit

from conformance.subject import Address, Needs, NotApplicable, ProcessInfo, Start

REASON = "the suite did not start this server"


class UrlRun:
    """The server behind a URL."""

    def __init__(self, address: Address) -> None:
        self.address = address

    def send(self, number: signal.Signals) -> None:  # noqa: ARG002 - the protocol's name
        """Not possible."""
        raise NotApplicable(REASON)

    def wait(self, timeout_s: float) -> int | None:  # noqa: ARG002 - the protocol's name
        """It never ends for us."""
        return None

    def logs(self) -> str:
        """Not visible."""
        raise NotApplicable(REASON)

    def processes(self) -> list[ProcessInfo]:
        """Not visible."""
        raise NotApplicable(REASON)

    def kill(self, pid: int) -> None:  # noqa: ARG002 - the protocol's name
        """Not possible."""
        raise NotApplicable(REASON)

    def close(self) -> None:
        """Nothing to end."""


class Url:
    """A running server that serves the given model G1, or the model of `--model`."""

    offers = frozenset({Needs.SERVER})
    why_not = REASON

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        if parts.scheme != "http" or not parts.hostname:
            raise ValueError(f"{url!r} is not an http URL such as http://127.0.0.1:8080")
        self.name = url
        self._address = Address(parts.hostname, parts.port or 80, parts.path.rstrip("/"))

    def serve(self, start: Start) -> UrlRun:  # noqa: ARG002 - the protocol's name
        """The server as it is."""
        return UrlRun(self._address)

    def run(self, command: str, base: Path) -> UrlRun:  # noqa: ARG002 - the protocol's names
        """Not possible."""
        raise NotApplicable(REASON)
