"""The suite passes a server that keeps the rules and finds every fault of one that does not."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from conformance.client import ask
from conformance.given import build
from conformance.subject import Address, free_port
from tests.conformance.runs import HERE, Run, command, run

pytestmark = pytest.mark.slow

# What the right server leaves out by choice: other formats, selected outputs, folds, checkpoints,
# own metrics, pipes, /metrics, names, a deadline.
LEFT_OUT = {
    "D-01", "D-02", "D-03", "D-05.libsvm", "D-07", "D-08", "D-09", "D-16.formats", "D-23.folds",
    "O-03.recordio", "O-03.recordio-softprob", "O-05", "O-06", "O-07", "O-08", "O-09", "O-10",
    "O-11", "P-01.arrow", "P-01.npy", "P-01.parquet", "P-01.recordio", "P-01.v2",
    "P-01.v2-columns", "P-05.matrix", "P-05.matrix-good", "T-01", "T-02", "T-03", "T-04",
    "T-11.parquet", "T-12",
    "D-10", "D-16.json", "D-18", "D-19", "L-04.newer", "L-08", "L-12.queue", "O-03", "P-01",
    "P-01.jsonlines", "P-01.named", "P-03", "P-09.metrics", "P-11", "P-12.request-id",
    "T-07.parameters", "T-10", "T-10.old", "T-11.header",
}  # fmt: skip

# The faults of the wrong server, and a word of what must be seen.
BROKEN = {
    "D-04": "200 text/csv",
    "D-05": "200 text/csv",
    "D-06": "500 text/html",
    "D-10": "500 text/html",
    "D-11": "500 text/html",
    "D-11.tokens": "500 text/html",
    "D-12": "500 text/html",
    "D-12.loose": "500 text/html",
    "D-13": "415 text/plain",
    "D-14": "500 text/html",
    "D-14.encoding": "500 text/html",
    "D-15": "500 text/html",
    "D-17": "500 text/html",
    "D-21": "the pickle was loaded and its code ran",
    "L-02": "pings failed",
    "L-03": "a request under way was lost",
    "L-04": "missing: exit code 0",
    "L-15": "/ping was not 200",
    "O-02": "500 text/html",
    "O-04": "2 lines expected, 1 found",
    "O-04.softprob": "3 lines expected, 1 found",
    "O-05": "7 lines expected, 1 found",
    "P-05.csv": "500",
    "P-05.matrix": "csv with header, no byte: 4xx expected",
    "P-05.matrix-good": "200 expected",
    "P-06": "500 text/html",
    "P-07": "413 text/html",
    "P-14": "500 text/html",
    "T-05": "it did not stop",
    "T-07": "a failed job expected",
    "T-07.parameters": "a failed job expected",
    "T-08": "a model expected",
    "T-15": "in 0 of 15 rounds",
    "T-16.type": "a failed job expected",
}
# Choices of ours that the wrong server does not follow: no rule of the platform is broken.
DIFFERENT = {
    "D-16": "taken leniently",
    "D-16.training": "was trained on",
    "D-19": "refused",
    "D-07": "refused",
    "D-23": "all 25 rounds were used, the best are 15",
    "D-23.folds": "before it was ready",
    "J-04": "404",
    "L-05": "an empty body expected",
    "O-01": "application/json expected",
    "O-12": "numbers too long",
    "O-06": "not JSON",
    "O-07": "it runs on; /ping is 200",
    "O-11": "application/x-recordio-protobuf expected",
    "P-01": "refused",
    "P-01.npy": "refused",
    "P-09": "404 expected",
    "P-10": "405 expected",
    "P-12": "trace=7f3a",
    "T-06": "no model was saved",
    "T-10": "was taken without a word",
}


@pytest.fixture(scope="module")
def right(tmp_path_factory: pytest.TempPathFactory) -> Run:
    return run(tmp_path_factory.mktemp("right") / "result.json", *command("right_server.py"))


@pytest.fixture(scope="module")
def wrong(tmp_path_factory: pytest.TempPathFactory) -> Run:
    port = str(free_port())
    return run(
        tmp_path_factory.mktemp("wrong") / "result.json",
        *command("wrong_server.py"),
        *("--port", port, "--env", f"FIXED_PORT={port}", "--start-timeout", "8"),
        *("--only", ",".join([*BROKEN, *DIFFERENT])),
    )


def test_a_right_server_breaks_no_rule(right: Run) -> None:
    assert {number: right.seen[number] for number in right.named("FAIL")} == {}
    assert right.exit_code == 0


def test_what_a_right_server_leaves_out_is_named_as_a_difference(right: Run) -> None:
    # L-03.load: when a plain socket closes it cuts off those who wait in its backlog, if any.
    assert right.named("differs") - {"L-03.load"} == LEFT_OUT


def test_everything_else_passes_on_a_right_server(right: Run) -> None:
    assert right.named("not applicable") == {"L-11", "L-14", "L-15.memory"}
    assert len(right.named("pass")) >= 50


def test_a_wrong_server_fails(wrong: Run) -> None:
    assert wrong.exit_code == 1


@pytest.mark.parametrize("number", BROKEN)
def test_the_fault_of_a_wrong_server_is_found(wrong: Run, number: str) -> None:
    assert (wrong.results[number], BROKEN[number] in wrong.seen[number]) == ("FAIL", True), (
        wrong.seen[number]
    )


@pytest.mark.parametrize("number", DIFFERENT)
def test_a_choice_not_followed_is_no_failure(wrong: Run, number: str) -> None:
    assert (wrong.results[number], DIFFERENT[number] in wrong.seen[number]) == ("differs", True), (
        wrong.seen[number]
    )


@pytest.fixture
def address(tmp_path: Path) -> Iterator[Address]:
    """A right server that somebody else has started, with G1."""
    build("G1").write(tmp_path / "model")
    address = Address("127.0.0.1", free_port())
    environment = {"SAGEMAKER_BASE_DIR": str(tmp_path), "SAGEMAKER_BIND_TO_PORT": str(address.port)}
    with subprocess.Popen([sys.executable, str(HERE / "right_server.py"), "serve"],
                          env=environment) as server:  # fmt: skip
        for _ in range(100):
            try:
                ask(address, "GET", "/ping")
                break
            except Exception:  # noqa: BLE001 - not yet
                server.poll()
        yield address
        server.send_signal(signal.SIGTERM)


def test_a_running_server_gets_the_cases_that_need_no_start(
    address: Address, tmp_path: Path
) -> None:
    found = run(
        tmp_path / "result.json",
        *("--url", f"http://127.0.0.1:{address.port}"),
        *("--model", str(tmp_path / "model"), "--only", "D-*,O-*,L-0*,T-*,P-13"),
    )
    assert found.exit_code == 0
    assert found.results["D-04"] == "pass"
    assert found.results["O-04"] == "pass"
    assert found.results["T-05"] == "not applicable"
    assert found.seen["L-04"] == (
        "needs a server that the suite starts and stops: the suite did not start this server"
    )
    assert "given model 'softprob'" in found.seen["O-04.softprob"]
    assert found.seen["P-13"] == "the suite did not start this server"
