"""The scripts run, check answers before they measure, and compare with the baseline."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import numpy as np
import pytest

from benchmarks import __main__ as bench
from benchmarks import clients, models, processes, road, servers, serving, start, tables

pytestmark = pytest.mark.skipif(not Path("/proc/self/smaps_rollup").exists(), reason="Linux only")


class Constant(BaseHTTPRequestHandler):
    """Answers 0.5 to any rows, and 400 to the body `bad`."""

    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(400 if body == b"bad" else 200)
        self.send_header("Content-Length", "4")
        self.end_headers()
        self.wfile.write(b"0.5\n")

    def log_message(self, *words: object) -> None:
        """Nothing."""


@contextmanager
def constant() -> Iterator[int]:
    server = ThreadingHTTPServer((clients.HOST, 0), Constant)
    thread = Thread(target=server.serve_forever)
    thread.start()
    try:
        yield server.server_address[1]
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.fixture(scope="module")
def sample(tmp_path_factory: pytest.TempPathFactory) -> models.Sample:
    return models.numbers(tmp_path_factory.mktemp("models") / "numbers", (1, 3))


def test_our_own_client_counts_requests_and_failures() -> None:
    with constant() as port:
        good = clients.by_threads(port, b"1,2\n", connections=2, seconds=1)
        bad = clients.by_threads(port, b"bad", connections=1, seconds=1)
    assert good.requests > 0
    assert good.failed == 0
    assert bad.failed == bad.requests > 0


def test_the_tree_of_a_process_holds_its_children_and_ends_with_it(tmp_path: Path) -> None:
    words = ["sh", "-c", "sleep 60 & wait"]
    with processes.running(words, {"PATH": "/usr/bin:/bin"}, tmp_path / "log") as process:
        while len(found := processes.tree(process.pid)) < 2:
            pass
        assert found[0] == process.pid
        assert processes.pss_mb(found) > 0
    assert not any(processes._is_alive(pid) for pid in found)


def test_cpu_seconds_are_those_of_the_process(tmp_path: Path) -> None:
    words = [sys.executable, "-c", "while True: pass"]
    with processes.running(words, {}, tmp_path / "log") as process:
        while processes.cpu_s([process.pid]) < 0.05:
            pass
    assert processes.cpu_s([process.pid]) == 0  # it is gone


def test_the_answers_of_a_body_are_those_of_its_rows(sample: models.Sample) -> None:
    assert sample.bodies[3].startswith(sample.bodies[1])
    assert sample.bodies[3].count(b"\n") == 3
    assert np.array_equal(sample.answers[3][:1], sample.answers[1])


def test_a_server_that_answers_something_else_is_not_measured(sample: models.Sample) -> None:
    with constant() as port:
        case = serving.Case(serving.OURS, sample, servers.Running(port, (), 0, 0))
        with pytest.raises(RuntimeError, match="does not answer what XGBoost answers"):
            serving._check(case, 1)


def test_a_ratio_is_taken_within_each_round() -> None:
    floor, ours = (1, 8, "floor, m"), (1, 8, "canarywood, m")
    spells = {floor: serving.Spell([10, 40], [1, 1]), ours: serving.Spell([20, 120], [4, 6])}
    found = serving.Found(spells, {"canarywood, m": "floor, m", "floor, m": "floor, m"})
    assert found.ratio(ours, "floor, m", "cpu_us") == 2.5  # of 2 and 3; of the medians: 2.8
    assert found.figures() == {
        "serving, canarywood, m, 1 row, 8 clients: CPU, x floor": 2.5,
        "serving, canarywood, m, 1 row, 8 clients: p50, x floor": 5.0,
    }


def test_a_figure_is_worse_where_it_rose_by_more_than_it_may() -> None:
    now = {"start: server MB": 111.0, "serving: CPU, x floor": 12.4, "new: p50": 9.0}
    before = {"start: server MB": 100.0, "serving: CPU, x floor": 10.0, "gone: p50": 1.0}
    changes = bench.compare(now, before)
    assert [(change.before, change.is_worse) for change in changes] == [
        (100.0, True),
        (10.0, False),
        (None, False),
    ]
    assert "| start: server MB | 100.00 | 111.00 | WORSE |" in bench.show(changes)


def test_a_table_is_markdown() -> None:
    assert tables.table(["a", "b"], [["x", 1]]) == "| a | b |\n| --- | ---: |\n| x | 1 |"
    assert tables.spread([1, 2, 9], digits=1) == "2.0 (1.0-9.0)"


@pytest.mark.slow
def test_start_tells_workers_and_memory_of_both_servers(tmp_path: Path) -> None:
    tmp_path.chmod(0o755)
    found = start.measure(1, (1, 2), tmp_path / "start")
    assert [starts[0].workers for starts in found.servers.values()] == [1, 2, 2]
    assert all(one[0].worker_mb < one[0].server_mb for one in found.servers.values())
    assert len(found.figures()) == 4
    assert start.show(found).count("\n") == 5


@pytest.mark.slow
def test_serving_measures_all_cases_and_its_floors_are_one(tmp_path: Path) -> None:
    found = serving.measure(1, 1, (2,), (1,), tmp_path / "serving")
    assert [name for _, _, name in found.spells] == [
        "nginx, a constant, numbers",
        "classic, numbers",
        "canarywood, numbers",
        "nginx, a constant, flights",
        "canarywood, flights",
    ]
    assert (
        found.ratio(
            (1, 2, "nginx, a constant, flights"), found.floors["canarywood, flights"], "cpu_us"
        )
        == 1
    )
    assert len(found.figures()) == 4


@pytest.mark.slow
def test_road_tells_a_line_a_project(capsys: pytest.CaptureFixture[str]) -> None:
    assert road.main(["--rounds", "1", "examples/abalone"]) == 0
    *_, header, _, line = capsys.readouterr().out.strip().splitlines()
    assert header.startswith("| project | rows | train | validation | test | metric |")
    assert line.startswith("| abalone | 4,177 | 2,923 | 627 | 627 | rmse ")


def test_an_image_that_is_not_there_has_no_size() -> None:
    assert road.image_mb() == "none" or int(road.image_mb()) > 0
