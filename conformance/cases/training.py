"""T: training jobs on CSV channels, label first, as every SageMaker XGBoost image takes them."""

from __future__ import annotations

import re
import signal
import time

import numpy as np

from conformance.bodies import csv
from conformance.case import case
from conformance.subject import Needs
from conformance.training import (
    STOP_JOB_S,
    WIDTH,
    Job,
    Result,
    collect,
    make_job,
    oracle,
    same_model,
    train,
)
from conformance.trial import Trial

RUN = "AWS, How SageMaker runs your training image"
INPUT = "AWS, How SageMaker provides training information"
OUTPUT = "AWS, How SageMaker processes training output"
PARAMETERS = "AWS, XGBoost hyperparameters"
FIRST_ROUNDS_S = 30.0  # to the first twenty rounds; a job without metric lines is stopped then
COLUMN = f"{PARAMETERS}; XGBoost, Parameters"


def _fails(trial: Trial, result: Result, what: str, mentions: tuple[str, ...] = ()) -> None:
    """The job failed, and its failure file says why in plain words."""
    trial.must(result.code not in (0, None), f"{what}: a failed job expected: {result}")
    text = result.failure
    if not trial.should(text, f"{what}: no output/failure: {result}"):
        return
    trial.should(len(text) <= 1024, f"{what}: output/failure has {len(text)} characters")
    trial.should(re.match(r"\w*Error: ", text), f"{what}: the class should come first: {text!r}")
    clean = "Traceback" not in text and "\\n" not in text and "[bt]" not in text
    trial.should(clean, f"{what}: a stack or escaped newlines: {text[:200]!r}")
    for word in mentions:
        trial.should(word in text, f"{what}: {word} should be named: {text[:300]!r}")


@case("T-05", source=f"{PARAMETERS}: early_stopping_rounds", needs=Needs.TRAIN)
def early_stopping(trial: Trial) -> None:
    """early_stopping_rounds works without eval_metric, and the best iteration is kept."""
    sent = {"num_round": "200", "early_stopping_rounds": "5", "eta": "0.1"}
    job = make_job(trial.folder("job"), sent, noise=1.0)
    wanted = oracle(job, {"eta": 0.1}, 200, early_stopping_rounds=5).booster
    result = train(trial, job)
    booster = result.booster
    if not trial.must(result.code == 0 and booster, f"a model expected: {result}") or not booster:
        return
    rounds = booster.num_boosted_rounds()
    trial.must(rounds < 200, f"{rounds} rounds: it did not stop")
    kept = booster.attr("best_iteration")
    best = rounds - 1 if kept is None else int(kept)
    trial.must(
        best == wanted.best_iteration,
        f"best iteration {best} ({rounds} rounds kept), XGBoost says {wanted.best_iteration}",
    )


@case("T-06", source=f"{RUN}: SIGTERM, 120 seconds, SIGKILL; saving is a choice", needs=Needs.TRAIN)
def stopped(trial: Trial) -> None:
    """SIGTERM saves a loadable model and ends the job within 120 s."""
    job = make_job(trial.folder("job"), {"num_round": "1000000", "max_depth": "2"}, rows=2000)
    running = trial.subject.run("train", job.base)
    try:
        end = time.monotonic() + FIRST_ROUNDS_S
        while time.monotonic() < end and "[20]" not in running.logs():
            if running.wait(0.2) is not None:
                break
        begin = time.monotonic()
        still = running.wait(0) is None
        if not trial.must(still, f"ended by itself: {collect(job, running, running.wait(0))}"):
            return
        running.send(signal.SIGTERM)
        code = running.wait(STOP_JOB_S)
        result = collect(job, running, code)
        trial.note(f"ended {time.monotonic() - begin:.1f} s after SIGTERM")
    finally:
        running.close()
    trial.must(code is not None, "still running 120 s after SIGTERM")
    trial.must(not result.fault, f"a damaged model would be uploaded: {result.fault}")
    trial.should(code == 0, f"exit 0 expected: {result}")
    if trial.should(result.booster, "no model was saved") and result.booster:
        rounds = result.booster.num_boosted_rounds()
        logged = "[20]" in result.logs
        trial.should(rounds >= 20 or not logged, f"{rounds} rounds saved, 20 were logged")


@case("T-07", source=OUTPUT, needs=Needs.TRAIN)
def bad_data(trial: Trial) -> None:
    """A fault of the data fails the job, in plain words."""
    job = make_job(trial.folder("text"), {"num_round": "3"})
    path = job.channel("train") / "data.csv"
    path.write_bytes(path.read_bytes() + b"1,0.5,twelve,0.5,0.5\n")
    _fails(trial, train(trial, job), "text in a number's place", ("twelve",))
    job = make_job(trial.folder("ragged"), {"num_round": "3"})
    path = job.channel("train") / "data.csv"
    path.write_bytes(path.read_bytes() + b"1,0.5,0.5\n")
    _fails(trial, train(trial, job), "a short row", ("data.csv",))
    job = make_job(trial.folder("empty"), {"num_round": "3"})
    (job.channel("train") / "data.csv").unlink()
    _fails(trial, train(trial, job), "an empty channel", ("train",))


@case("T-07.parameters", source=OUTPUT, needs=Needs.TRAIN)
def bad_parameters(trial: Trial) -> None:
    """A fault of a hyperparameter fails the job, in plain words."""
    faults = {"max_depth": "deep", "eta": "-7", "objective": "binary:guess"}
    for name, value in faults.items():
        job = make_job(trial.folder(name), {"num_round": "3", name: value})
        _fails(trial, train(trial, job), f"{name} {value}", (name,))


@case("T-08", source=f"{INPUT}: hyperparameters.json", needs=Needs.TRAIN)
def typed_parameters(trial: Trial) -> None:
    """Hyperparameters arrive as text and mean numbers, truth values, lists and tuples."""
    sent = {
        "num_round": "12",
        "max_depth": "4",
        "eta": "2e-1",
        "gamma": "1e-3",
        "nthread": "-1",
        "seed": "7",
        "subsample": "0.8",
        "validate_parameters": "true",
        "monotone_constraints": "(1,-1,0,0)",
        "interaction_constraints": "[[0,1],[2,3]]",
    }
    job = make_job(trial.folder("job"), sent)
    typed = {
        "max_depth": 4,
        "eta": 0.2,
        "gamma": 1e-3,
        "seed": 7,
        "subsample": 0.8,
        "monotone_constraints": (1, -1, 0, 0),
        "interaction_constraints": "[[0, 1], [2, 3]]",  # as text: there are no names
    }
    same_model(trial, train(trial, job), oracle(job, typed, 12), job)


@case("T-10", needs=Needs.TRAIN)
def misspelt_parameter(trial: Trial) -> None:
    """An unknown hyperparameter is refused with the name that was meant."""
    job = make_job(trial.folder("job"), {"num_round": "3", "max_deth": "3"})
    result = train(trial, job)
    if result.code == 0:
        trial.should(False, "max_deth was taken without a word")
    else:
        _fails(trial, result, "max_deth", ("max_deth", "max_depth"))


@case("T-10.old", source=COLUMN, needs=Needs.TRAIN)
def old_parameters(trial: Trial) -> None:
    """Old names still work, with a note: gpu_hist, reg:linear."""
    linear = {"num_round": "3", "objective": "reg:linear"}
    job = make_job(trial.folder("linear"), linear)
    result = train(trial, job)
    wanted = oracle(job, {"objective": "reg:squarederror"}, 3)
    if trial.should(result.code == 0, f"reg:linear: {result}"):
        same_model(trial, result, wanted, job)
        trial.should("reg:squarederror" in result.logs, "no note that names reg:squarederror")
    job = make_job(trial.folder("gpu"), {"num_round": "3", "tree_method": "gpu_hist"})
    result = train(trial, job)
    told = result.logs + result.failure
    trial.should("device" in told and "hist" in told, f"gpu_hist: no word on device: {result}")


@case("T-11", source=f"{PARAMETERS}; AWS, XGBoost algorithm: input", needs=Needs.TRAIN)
def two_files(trial: Trial) -> None:
    """Two files of a channel are one table, in the order of their names."""
    job = make_job(trial.folder("job"), {"num_round": "5"})
    (job.channel("train") / "data.csv").unlink()
    nested = job.channel("train") / "more"
    nested.mkdir()
    (job.channel("train") / "a.csv").write_bytes(csv(job.train[:150]))
    (job.channel("train") / "b.csv").write_bytes(csv(job.train[150:]))
    nested.rmdir()
    same_model(trial, train(trial, job), oracle(job, {}, 5), job)


@case("T-11.header", needs=Needs.TRAIN)
def header_names(trial: Trial) -> None:
    """The names of a CSV header are kept in the model."""
    job = make_job(trial.folder("job"), {"num_round": "5"})
    names = ["label", "width", "height", "depth", "mass"]
    for name in ("train", "validation"):
        path = job.channel(name) / "data.csv"
        path.write_bytes((",".join(names) + "\n").encode() + path.read_bytes())
    result = train(trial, job)
    if not trial.should(result.code == 0, f"a model expected: {result}"):
        return
    same_model(trial, result, oracle(job, {}, 5), job)
    if result.booster:
        found = result.booster.feature_names
        trial.should(found == names[1:], f"names {found} instead of {names[1:]}")


@case("T-11.mixed", needs=Needs.TRAIN)
def mixed_separators(trial: Trial) -> None:
    """A second file with another separator is read or named, never misread."""
    job = make_job(trial.folder("job"), {"num_round": "5"})
    (job.channel("train") / "data.csv").unlink()
    (job.channel("train") / "a.csv").write_bytes(csv(job.train[:200]))
    (job.channel("train") / "b.csv").write_bytes(csv(job.train[200:], separator=";"))
    result = train(trial, job)
    if result.code == 0:
        same_model(trial, result, oracle(job, {}, 5), job)
    else:
        _fails(trial, result, "a second file with semicolons", ("b.csv",))


@case(
    "T-15",
    source="AWS, Tune an XGBoost model: metrics; CloudWatch writes TAB as #011",
    needs=Needs.TRAIN,
)
def metric_lines(trial: Trial) -> None:
    """The built-in algorithm's metric expressions find every round in the log."""
    job = make_job(trial.folder("job"), {"num_round": "15", "eval_metric": "auc"})
    history = oracle(job, {"eval_metric": "auc"}, 15).history
    result = train(trial, job)
    if not trial.must(result.code == 0, f"a model expected: {result}"):
        return
    shown = result.logs.replace("\t", "#011")
    for name in ("train", "validation"):
        found = re.findall(rf".*\[[0-9]+\].*#011{name}-auc:(\S+)", shown)
        found = [text.split("#011")[0] for text in found]
        wanted = history[name]["auc"]
        if not trial.must(len(found) == 15, f"{name}-auc in {len(found)} of 15 rounds"):
            continue
        try:
            far = np.max(np.abs(np.asarray(found, dtype=float) - wanted))
        except ValueError:
            trial.must(False, f"{name}-auc is no number: {found[:3]}")
            continue
        trial.must(far <= 1e-2, f"{name}-auc is off by {far:.3g}")
        trial.should(far <= 6e-6, f"{name}-auc is off by {far:.3g}")


@case("T-16", source=f"{INPUT}: inputdataconfig.json", needs=Needs.TRAIN)
def content_types(trial: Trial) -> None:
    """The channel's ContentType decides how a file is read, not its name."""
    for kind in ("text/csv", "csv", "text/csv; charset=utf-8"):
        job = make_job(trial.folder(re.sub(r"\W", "", kind)), {"num_round": "5"})
        _rename(job)
        job.content_type(kind)
        same_model(trial, train(trial, job), oracle(job, {}, 5), job)


def _rename(job: Job) -> None:
    """Names as an object store may have them: no extension."""
    for name in ("train", "validation"):
        (job.channel(name) / "data.csv").rename(job.channel(name) / "part-0000")


@case("T-16.type", source=f"{INPUT}: inputdataconfig.json", needs=Needs.TRAIN)
def unknown_content_type(trial: Trial) -> None:
    """A content type that cannot be read fails the job and is named."""
    job = make_job(trial.folder("job"), {"num_round": "5"})
    job.content_type("image/png")
    result = train(trial, job)
    _fails(trial, result, "image/png", ("image/png",))


@case("T-16.host", source=f"{INPUT}: resourceconfig.json", needs=Needs.TRAIN)
def resource_config(trial: Trial) -> None:
    """The hosts of resourceconfig.json and its unknown fields do not stop the job."""
    job = make_job(trial.folder("job"), {"num_round": "5"})
    group = {"instance_group_name": "g", "instance_type": "ml.c5.xlarge", "hosts": ["algo-7"]}
    value = {
        "current_host": "algo-7",
        "hosts": ["algo-7"],
        "current_instance_type": "ml.c5.xlarge",
        "current_group_name": "g",
        "instance_groups": [group],
        "network_interface_name": "ethwe",
        "topology": [],
    }
    job.config("resourceconfig", value)
    result = train(trial, job)
    same_model(trial, result, oracle(job, {}, 5), job)
    missing = job.base / "output" / "failure"
    trial.must(not missing.exists(), f"output/failure after a good job: {result.failure!r}")
    trial.note(f"{WIDTH} features")
