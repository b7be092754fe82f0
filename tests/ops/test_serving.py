import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from canarywood.artifact import pack
from canarywood.errors import ArtifactError
from ops import ports, servers, serving
from ops.client import Client
from ops.jobs import JobError
from ops.plan import Home
from ops.servers import Server
from tests.ops.fakes import FakeRuntime

SERVER = """
import sys
from http.server import BaseHTTPRequestHandler, HTTPServer

class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.end_headers()

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(422 if b"bad" in body else 200)
        self.end_headers()
        self.wfile.write(b"0.25\\n0.5,0.5\\n")

    def log_message(self, *words):
        pass

HTTPServer(("127.0.0.1", int(sys.argv[2])), Handler).serve_forever()
"""


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Home]:
    model = tmp_path / "model"
    model.mkdir()
    (model / "xgboost-model").write_text("trees")
    home = Home(tmp_path / "home" / "toy")
    pack(model, home.archive)
    yield home
    left = servers.read(home.folder)
    if left is not None:
        servers.stop(left, home.folder)


def runtime(program: str = SERVER) -> FakeRuntime:
    return FakeRuntime(server=[sys.executable, "-c", program, "serve", "PORT"])


def test_the_model_is_untarred_for_the_server(home: Home) -> None:
    serving.serve("toy", home, runtime(), environment={}, port=free_port())
    assert (home.layout("serve").model / "xgboost-model").read_text() == "trees"


def test_a_server_of_the_same_model_is_kept(home: Home) -> None:
    first = serving.serve("toy", home, runtime(), environment={}, port=free_port())
    again = serving.serve("toy", home, runtime(), environment={})
    assert not first.reused
    assert again.reused
    assert again.server == first.server


def test_a_server_of_another_model_is_replaced_on_its_port(home: Home, tmp_path: Path) -> None:
    first = serving.serve("toy", home, runtime(), environment={}, port=free_port())
    (tmp_path / "model" / "xgboost-model").write_text("other trees")
    pack(tmp_path / "model", home.archive)
    second = serving.serve("toy", home, runtime(), environment={})
    assert not second.reused
    assert second.server.port == first.server.port
    assert second.server.pid != first.server.pid
    assert not servers.is_running(first.server)


@pytest.mark.parametrize("change", ["environment", "code"])
def test_another_environment_or_code_replaces_the_server(home: Home, change: str) -> None:
    serving.serve("toy", home, runtime(), environment={}, port=free_port())
    other = runtime()
    other.code = "code 2" if change == "code" else other.code
    environment = {"A": "1"} if change == "environment" else {}
    assert not serving.serve("toy", home, other, environment=environment).reused


def test_a_taken_port_is_named_and_the_next_one_used(home: Home) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        taken = int(other.getsockname()[1])
        served = serving.serve("toy", home, runtime(), environment={}, port=taken)
        name = Path("/proc/self/comm").read_text().strip()
        assert served.server.port > taken
        assert served.note == (
            f"port {taken} is taken by {name} (process {os.getpid()}), took the next"
        )


def test_a_port_taken_by_another_project_is_told_by_its_name(home: Home) -> None:
    first = serving.serve("toy", home, runtime(), environment={}, port=free_port())
    other = Home(home.folder.parent / "other")
    other.folder.mkdir()
    other.archive.write_bytes(home.archive.read_bytes())
    second = serving.serve("other", other, runtime(), environment={}, port=first.server.port)
    assert second.note == (f"port {first.server.port} is taken by the server of toy, took the next")
    servers.stop(second.server, other.folder)


def test_a_server_that_ends_at_once_tells_why(home: Home) -> None:
    program = "import sys; print('UserError: no model'); sys.exit(1)"
    with pytest.raises(JobError) as caught:
        serving.serve("toy", home, runtime(program), environment={}, port=free_port())
    assert str(caught.value).splitlines() == [
        "serve failed: exit status 1, and no reason was left",
        "",
        "the last lines of its log:",
        "  UserError: no model",
        "",
        f"the whole log: {home.log('serve')}",
    ]
    assert servers.read(home.folder) is None


def test_without_a_model_there_is_no_server(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        serving.serve("toy", Home(tmp_path), runtime(), environment={})


def test_a_damaged_archive_is_refused(home: Home) -> None:
    home.archive.write_bytes(b"no tar")
    with pytest.raises(ArtifactError, match="is not a safe tar archive"):
        serving.serve("toy", home, runtime(), environment={}, port=free_port())


def test_down_stops_every_server_and_can_be_repeated(home: Home) -> None:
    served = serving.serve("toy", home, runtime(), environment={}, port=free_port())
    folder = home.folder.parent
    assert servers.running(folder) == [served.server]
    servers.stop(served.server, home.folder)
    assert servers.running(folder) == []
    servers.stop(served.server, home.folder)
    assert ports.is_free(served.server.port)


def test_a_process_that_is_not_our_server_is_never_stopped(home: Home) -> None:
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as other:
        recorded = Server("toy", other.pid, 8080, str(home.layout("serve").base), "digest")
        recorded.write(home.folder)
        assert servers.read(home.folder) is None
        servers.stop(recorded, home.folder)
        assert other.poll() is None
        other.kill()
    assert other.returncode == -signal.SIGKILL


def test_a_damaged_record_counts_as_no_server(tmp_path: Path) -> None:
    (tmp_path / servers.RECORD).write_text('{"pid": 1}')
    assert servers.read(tmp_path) is None


def test_the_client_reads_numbers_and_passes_on_refusals(home: Home) -> None:
    served = serving.serve("toy", home, runtime(), environment={}, port=free_port())
    client = Client(served.server.port)
    assert client.scores("1,2\n") == [[0.25], [0.5, 0.5]]
    with pytest.raises(Exception, match=r"the server answered 422: 0\.25"):
        client.scores("bad\n")
