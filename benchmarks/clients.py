"""Load: wrk where it is installed, else a client of our own that measures the same."""

from __future__ import annotations

import re
import shutil
import statistics
import subprocess
import tempfile
import threading
import time
from dataclasses import dataclass
from http.client import HTTPConnection
from pathlib import Path

HOST = "127.0.0.1"
SCRIPT = """
local file = io.open("{body}", "rb")
wrk.method = "POST"
wrk.headers["Content-Type"] = "text/csv"
wrk.body = file:read("*a")
done = function(summary, latency, requests)
  local errors = summary.errors
  local failed = errors.connect + errors.read + errors.write + errors.status + errors.timeout
  print(string.format("RESULT %d %d %d", summary.requests, failed, latency:percentile(50)))
end
"""


@dataclass(frozen=True)
class Load:
    """What came of one spell of load."""

    requests: int
    failed: int
    p50_us: float


def name() -> str:
    """Which client is used."""
    return "wrk" if shutil.which("wrk") else "our own (Python), which takes CPU from the server"


def post(port: int, body: bytes) -> bytes:
    """One request; the answer of a 200."""
    connection = HTTPConnection(HOST, port, timeout=30)
    try:
        connection.request("POST", "/invocations", body, {"Content-Type": "text/csv"})
        response = connection.getresponse()
        answer = response.read()
    finally:
        connection.close()
    if response.status != 200:
        raise RuntimeError(f"port {port} answered {response.status}: {answer[:300]!r}")
    return answer


def ping(port: int) -> bool:
    """Whether /ping answers 200."""
    connection = HTTPConnection(HOST, port, timeout=30)
    try:
        connection.request("GET", "/ping")
        return connection.getresponse().status == 200
    except OSError:
        return False
    finally:
        connection.close()


def load(port: int, body: bytes, connections: int, seconds: int) -> Load:
    """Send the same body over so many connections, each request after the answer before."""
    by = by_wrk if shutil.which("wrk") else by_threads
    return by(port, body, connections, seconds)


def by_wrk(port: int, body: bytes, connections: int, seconds: int) -> Load:
    """See load; one thread of wrk."""
    with tempfile.TemporaryDirectory() as folder:
        content, script = Path(folder) / "body", Path(folder) / "post.lua"
        content.write_bytes(body)
        script.write_text(SCRIPT.format(body=content), encoding="utf-8")
        words = ["wrk", "-t1", f"-c{connections}", f"-d{seconds}s", "-s", str(script)]
        done = subprocess.run(
            [*words, f"http://{HOST}:{port}/invocations"],
            capture_output=True,
            text=True,
            check=True,
        )
    found = re.search(r"RESULT (\d+) (\d+) (\d+)", done.stdout)
    if found is None:
        raise RuntimeError(f"wrk said no result: {done.stdout} {done.stderr}")
    requests, failed, p50 = map(int, found.groups())
    return Load(requests, failed, p50)


def by_threads(port: int, body: bytes, connections: int, seconds: int) -> Load:
    """See load; one Python thread a connection."""
    until = time.perf_counter() + seconds
    times: list[float] = []
    failures: list[int] = []

    def ask() -> None:
        connection = HTTPConnection(HOST, port, timeout=30)
        while (began := time.perf_counter()) < until:
            connection.request("POST", "/invocations", body, {"Content-Type": "text/csv"})
            response = connection.getresponse()
            response.read()
            times.append(time.perf_counter() - began)
            if response.status != 200:
                failures.append(response.status)
        connection.close()

    threads = [threading.Thread(target=ask) for _ in range(connections)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return Load(len(times), len(failures), 1e6 * statistics.median(times))
