"""What our nginx sends to a worker: the loop worker reads nothing else by itself."""

from __future__ import annotations

import socket
import subprocess
from collections.abc import Callable, Iterator

import pytest

from canarywood.serving.http1 import Call, look
from canarywood.serving.nginx import NginxPlan, configuration, find_nginx
from canarywood.settings import ServeSettings
from tests.container.serving.server import free_port, wait_for

pytestmark = pytest.mark.slow


@pytest.fixture
def upstream(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[bytes], bytes]]:
    """Sends bytes to our nginx; returns what it sends to a worker."""
    folder = tmp_path_factory.mktemp("n")
    port = free_port()
    settings = ServeSettings(port=port, bind_address="127.0.0.1")
    plan = NginxPlan(settings, folder, identity=None, cpus=1, shutdown_timeout_s=5)
    (folder / "nginx.conf").write_text(configuration(plan))
    command = [find_nginx(), "-e", "stderr", "-p", str(folder), "-c", str(folder / "nginx.conf")]
    with socket.socket(socket.AF_UNIX) as listener, subprocess.Popen(command) as nginx:
        listener.bind(str(folder / "workers.sock"))
        listener.settimeout(60)
        listener.listen()

        def exchanged(*sent: bytes) -> bytes:
            wait_for(lambda: _is_open(port))
            with socket.create_connection(("127.0.0.1", port), timeout=60) as client:
                for piece in sent:
                    client.sendall(piece)
                accepted, _ = listener.accept()
                with accepted:
                    received = accepted.recv(1 << 20)
                    accepted.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
                    assert client.recv(100).startswith(b"HTTP/1.1 200")
            return received

        yield exchanged
        nginx.terminate()


def _is_open(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


@pytest.mark.parametrize(
    "sent",
    [
        b"POST /invocations HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\n\r\n1,2\n",
        b"POST /invocations HTTP/1.0\r\nContent-Length: 4\r\n\r\n1,2\n",
        b"POST http://h/invocations HTTP/1.1\r\nHost: x\r\nCONTENT-LENGTH:4\r\n\r\n1,2\n",
        b"POST /invocations HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 4\r\n\r\n"
        b"1,2\n",
        b"POST /invocations HTTP/1.1\r\nHost: x\r\nExpect: x\r\nContent-Length: 4\r\n\r\n1,2\n",
        b"POST /invocations HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
        b"1\r\n1\r\n3;x=y\r\n,2\n\r\n0\r\nContent-Length: 9\r\n\r\n",
    ],
)
def test_nginx_sends_every_body_whole_and_with_its_length(
    upstream: Callable[[bytes], bytes], sent: bytes
) -> None:
    received = upstream(sent)
    found = look(received, 100)
    assert isinstance(found, Call), received
    assert found.body == b"1,2\n"
    assert found.size == len(received)
