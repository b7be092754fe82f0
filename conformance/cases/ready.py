"""L, D-21: from the start to the first answer, and models that must not start at all."""

from __future__ import annotations

import pickle
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from conformance.bodies import csv
from conformance.case import case
from conformance.given import MODEL_FILE
from conformance.subject import (
    Needs,
    NotApplicable,
    Running,
    Start,
    SubjectError,
    free_port,
    is_open,
)
from conformance.trial import Trial, last_line, ping, wait_ready

HEALTH = "AWS, Custom inference code with hosting services: health check"
BIND = "AWS, Inference pipelines: SAGEMAKER_BIND_TO_PORT"
EXIT_S = 10.0 * 3  # ours: 10 s, with room for a slow machine
MARK = "the pickle was executed"


def _watch_refusal(trial: Trial, server: Running) -> int | None:
    """Probe /ping until the server ends; its exit code, None if it runs on."""
    end = time.monotonic() + EXIT_S
    while time.monotonic() < end:
        answer = ping(server)
        if answer and answer.status == 200:
            trial.must(False, "/ping is 200 though there is no model to serve")
            return None
        code = server.wait(0.1)
        if code is not None:
            return code
    trial.should(False, f"still running, never ready, after {EXIT_S:.0f} s")
    return None


def _refuses_to_start(trial: Trial, folder: Path, what: str) -> str:
    """Start on a bad model; returns the log."""
    with trial.started(Start(folder), ready=False) as server:
        code = _watch_refusal(trial, server)
        logs = server.logs()
        if code is not None:
            trial.must(code != 0, f"{what}: exit code 0")
            trial.should(
                "Traceback (most" not in logs and logs.strip(),
                f"{what}: a reason in one line expected, the log ends: {last_line(logs)}",
            )
    return logs


@case("L-04", source=f"{HEALTH}; the exit code is a choice", needs=Needs.START)
def bad_models(trial: Trial) -> None:
    """A missing or damaged model is never ready, and the server ends with a reason."""
    whole = (trial.model_folder / MODEL_FILE).read_bytes()
    for what, content in (
        ("missing", None),
        ("empty", b""),
        ("cut", whole[: len(whole) // 2]),
        ("noise", b"this is no model" * 99),
    ):
        folder = trial.folder(what)
        if content is not None:
            (folder / MODEL_FILE).write_bytes(content)
        _refuses_to_start(trial, folder, what)


@case("L-04.newer", needs=Needs.START)
def newer_model(trial: Trial) -> None:
    """A model of a newer XGBoost is not served as if it were understood."""
    folder = trial.folder("newer")
    (folder / MODEL_FILE).write_bytes(_of_version_99(trial.given.booster.save_raw("ubj")))
    with trial.started(Start(folder), ready=False) as server:
        end = time.monotonic() + EXIT_S
        while time.monotonic() < end and (code := server.wait(0.1)) is None:
            answer = ping(server)
            if answer and answer.status == 200:
                trial.should(False, "a model written by XGBoost 99.0.0 is served")
                return
        trial.should(code not in (0, None), f"exit code {code}")


def _of_version_99(raw: bytearray) -> bytes:
    """The same model, as if XGBoost 99.0.0 had written it."""
    mark = b"version[#L" + bytes(7) + b"\x03"
    at = raw.index(mark) + len(mark)
    if raw[at : at + 1] != b"i":
        raise NotApplicable("this xgboost writes its version in another way")
    return bytes(raw[:at] + b"i\x63i\x00i\x00" + raw[at + 6 :])


class _Payload:
    """A pickle that leaves a trace when it is loaded."""

    def __reduce__(self) -> tuple[Callable[[str], None], tuple[str]]:
        code = (
            "import os, pathlib, sys\n"
            f"print({MARK!r}, file=sys.stderr, flush=True)\n"
            "base = pathlib.Path(os.environ.get('SAGEMAKER_BASE_DIR', '/opt/ml'))\n"
            "(base / 'model' / 'executed').touch()\n"
        )
        return exec, (code,)


@case("D-21", source="Python, pickle: never unpickle untrusted data", needs=Needs.START)
def pickled_model(trial: Trial) -> None:
    """A pickle in the model's place is refused and never executed."""
    folder = trial.folder("pickle")
    (folder / MODEL_FILE).write_bytes(pickle.dumps(_Payload()))
    with trial.started(Start(folder), ready=False) as server:
        code = _watch_refusal(trial, server)
        logs = server.logs()
    trial.must(MARK not in logs, "the pickle was loaded and its code ran")
    if code is not None:
        trial.must(code != 0, "exit code 0")
        told = "pickle" in logs and ("convert" in logs or "save_model" in logs)
        trial.should(told, f"the log should name the way to convert it: {last_line(logs)}")


@case("L-05", source=HEALTH, needs=Needs.START)
def start_up(trial: Trial) -> None:
    """Until it is ready /ping is refused or 503, then 200 for good; never 502."""
    with trial.started(ready=False) as server:
        seen: list[int] = []
        end = time.monotonic() + trial.start_s
        while time.monotonic() < end and 200 not in seen:
            answer = ping(server)
            seen += [answer.status] if answer else []
            time.sleep(0.05)
            if server.wait(0) is not None:
                break
        end_of_log = last_line(server.logs())
        if not trial.must(200 in seen, f"never ready, /ping gave {seen[-1:]}; {end_of_log}"):
            return
        odd = sorted(set(seen) - {200, 503})
        trial.should(not odd, f"before it was ready /ping gave {odd}")
        after = [ping(server) for _ in range(40)]
        bad = [str(answer) for answer in after if answer is None or answer.status != 200]
        trial.must(not bad, f"{len(bad)} of 40 probes failed after the first 200: {bad[:1]}")
        good = ping(server)
        trial.should(good is not None and not good.body, f"an empty body expected: {good}")


@case("L-06", source=HEALTH, needs=Needs.START)
def first_answers(trial: Trial) -> None:
    """The first answers after the first 200 of /ping are right, from every worker."""
    rows = trial.given.rows[:2]
    expected = trial.given.predict(rows)
    with trial.started() as server, ThreadPoolExecutor(8) as pool:
        asked = [pool.submit(trial.post, csv(rows), server=server) for _ in range(16)]
        for future in asked:
            trial.answers(future.result(), expected)


@case("L-14", needs=Needs.IMAGE)
def hardened(trial: Trial) -> None:
    """It runs with a read-only root, as any user, without capabilities."""
    rows = trial.given.rows[:2]
    with trial.started(Start(trial.model_folder, hardened=True), ready=False) as server:
        try:
            wait_ready(server, trial.start_s)
        except SubjectError as error:
            trial.should(False, f"does not start: {error}")
            return
        trial.answers(trial.post(csv(rows), server=server), trial.given.predict(rows))


@case("L-15", source=BIND, needs=Needs.START)
def bind_to_port(trial: Trial) -> None:
    """It listens to $SAGEMAKER_BIND_TO_PORT, and to no other port."""
    rows = trial.given.rows[:2]
    port = free_port()
    was_open = is_open(8080)
    start = Start(trial.model_folder, {"SAGEMAKER_BIND_TO_PORT": str(port)})
    with trial.started(start) as server:
        trial.answers(trial.post(csv(rows), server=server), trial.given.predict(rows))
        if was_open:
            trial.note("8080 was taken before, so it could not be looked at")
        else:
            trial.should(not is_open(8080), "it listens to 8080 as well")


@case("L-15.memory", source="AWS, Serverless inference: memory size", needs=Needs.IMAGE)
def small_memory(trial: Trial) -> None:
    """It serves within a cgroup of 1 GB."""
    rows = trial.given.rows
    with trial.started(Start(trial.model_folder, memory="1g")) as server:
        for _ in range(20):
            trial.answers(trial.post(csv(rows), server=server), trial.given.predict(rows))
        trial.must(server.wait(0) is None, f"it ended: {last_line(server.logs())}")
