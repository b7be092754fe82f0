"""A quick HTTP/1.1 client on a plain socket, which sends any head as it is."""

from __future__ import annotations

import contextlib
import socket
from dataclasses import dataclass

from conformance.subject import Address

TIMEOUT_S = 60.0


@dataclass(frozen=True)
class Reply:
    """Status and body of an answer."""

    status: int
    body: bytes
    closed: bool = False


class Wire:
    """One connection, opened again after it was closed."""

    def __init__(self, address: Address) -> None:
        self._address = address
        self._socket: socket.socket | None = None
        self._rest = b""

    def exchange(self, head: bytes, body: bytes) -> Reply | None:
        """Send a request; None where the server closes without an answer.

        Raises:
            TimeoutError: nothing comes for a minute.
        """
        fresh = self._socket is None
        reply = self._exchange(head, body)
        if reply is None and not fresh:  # closed while idle: not a word on this request
            reply = self._exchange(head, body)
        return reply

    def _exchange(self, head: bytes, body: bytes) -> Reply | None:
        if self._socket is None:
            place = (self._address.host, self._address.port)
            self._socket = socket.create_connection(place, timeout=TIMEOUT_S)
            self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._rest = b""
        reply = None
        with contextlib.suppress(ConnectionError):
            with contextlib.suppress(ConnectionError):
                self._socket.sendall(head + body)
            reply = self._read()
        if reply is None or reply.closed:
            self.close()
        return reply

    def _read(self) -> Reply | None:
        while b"\r\n\r\n" not in self._rest:
            if not self._more():
                return None
        head, _, rest = self._rest.partition(b"\r\n\r\n")
        lines = head.decode("latin-1").split("\r\n")
        status = int(lines[0].split(" ", 2)[1])
        pairs = (line.partition(":") for line in lines[1:])
        fields = {name.strip().lower(): value.strip() for name, _, value in pairs}
        self._rest = rest
        if status == 100:
            return self._read()
        if "chunked" in fields.get("transfer-encoding", ""):
            content = self._chunks()
        elif "content-length" in fields:
            content = self._exactly(int(fields["content-length"]))
        elif status in (204, 304):
            content = b""
        else:
            while self._more():
                pass
            return Reply(status, self._rest, closed=True)
        return Reply(status, content, fields.get("connection", "").lower() == "close")

    def _more(self) -> bool:
        assert self._socket is not None  # noqa: S101 - opened by _exchange
        piece = self._socket.recv(65536)
        self._rest += piece
        return bool(piece)

    def _exactly(self, size: int) -> bytes:
        while len(self._rest) < size:
            if not self._more():
                raise ConnectionError("the answer was cut")
        found, self._rest = self._rest[:size], self._rest[size:]
        return found

    def _chunks(self) -> bytes:
        found = b""
        while True:
            while b"\r\n" not in self._rest:
                if not self._more():
                    raise ConnectionError("the answer was cut")
            line, _, self._rest = self._rest.partition(b"\r\n")
            size = int(line.split(b";")[0], 16)
            found += self._exactly(size)
            self._exactly(2)
            if not size:
                return found

    def close(self) -> None:
        """Close the connection."""
        if self._socket:
            self._socket.close()
        self._socket = None
