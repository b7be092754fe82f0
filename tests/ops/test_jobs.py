from pathlib import Path

import pytest

from canarywood.contract import Layout, ProcessingInput, read_json
from ops import jobs
from ops.plan import Copy, Home, Step
from tests.ops.fakes import FakeRuntime


def nothing(line: str) -> None:
    """A watcher that does not care."""


def train_step(home: Home, source: Path, **parameters: str) -> Step:
    copies = (Copy(source, "input/data/train"),)
    return Step("train", home.layout("train"), copies, hyperparameters=parameters)


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home(tmp_path / "home")


@pytest.fixture
def source(tmp_path: Path) -> Path:
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "part-0").write_text("rows")
    return tmp_path / "in"


def test_a_job_finds_its_tree_laid(home: Home, source: Path) -> None:
    step = train_step(home, source, eta="0.1")
    outcome = jobs.run(step, home, FakeRuntime(), nothing, fresh=False)
    layout = home.layout("train")
    assert not outcome.reused
    assert (layout.channel("train") / "part-0").read_text() == "rows"
    assert layout.hyperparameters() == {"eta": "0.1"}
    assert set(layout.input_data_config()) == {"train", "validation", "schema"}
    assert (layout.model / "xgboost-model").read_text() == '{"eta": "0.1"}'


def test_a_processing_job_finds_its_request_and_its_host(home: Home, source: Path) -> None:
    layout = home.layout("evaluate")
    copies = (
        Copy(source, "processing/test"),
        Copy(source / "part-0", "processing/model/model.tar.gz"),
    )
    jobs.lay(Step("evaluate", layout, copies, config={"processing/input/config/data.json": {}}))
    assert layout.processing_inputs() == (
        ProcessingInput("config", layout.processing_input("config")),
        ProcessingInput("model", layout.processing / "model"),
        ProcessingInput("test", layout.processing / "test"),
    )
    assert layout.processing_cluster().hosts == ("algo-1",)


def test_an_input_that_a_job_changes_stays_as_it_was(home: Home, source: Path) -> None:
    def spoil(layout: Layout) -> None:
        (layout.channel("train") / "part-0").write_text("spoilt")

    runtime = FakeRuntime(commands={"train": spoil})
    jobs.run(train_step(home, source), home, runtime, nothing, fresh=False)
    assert (source / "part-0").read_text() == "rows"


def test_an_unchanged_job_is_reused_and_a_changed_one_is_not(home: Home, source: Path) -> None:
    runtime = FakeRuntime()

    def run(fresh: bool = False, **parameters: str) -> bool:
        step = train_step(home, source, **parameters)
        return jobs.run(step, home, runtime, nothing, fresh=fresh).reused

    assert not run(eta="0.1")
    assert run(eta="0.1")
    assert not run(eta="0.2")
    assert not run(fresh=True, eta="0.2")
    runtime.code = "code 2"
    assert not run(eta="0.2")
    assert runtime.ran == ["train"] * 4


def test_nothing_of_an_earlier_run_is_left_in_the_tree(home: Home, source: Path) -> None:
    stale = home.layout("train").model / "stale"
    stale.parent.mkdir(parents=True)
    stale.write_text("")
    jobs.run(train_step(home, source), home, FakeRuntime(), nothing, fresh=False)
    assert not stale.exists()


def told(home: Home, source: Path, error: Exception, *lines: str) -> list[str]:
    """What the operator reads of a job that fails like this."""

    def fail(layout: Layout) -> None:  # noqa: ARG001 - the form of a command
        raise error

    runtime = FakeRuntime(commands={"train": fail}, lines={"train": list(lines)})
    with pytest.raises(jobs.JobError) as caught:
        jobs.run(train_step(home, source), home, runtime, nothing, fresh=False)
    return str(caught.value).splitlines()


def test_a_reason_that_the_user_can_mend_is_told_once(home: Home, source: Path) -> None:
    lines = ["starting", "canarywood train: UserError: eta is too large", "and so is gamma"]
    error = RuntimeError("eta is too large\nand so is gamma")
    assert told(home, source, error, *lines) == [
        "train failed: UserError: eta is too large",
        "and so is gamma",
        "",
        f"the whole log: {home.log('train')}",
    ]


def test_a_reason_that_the_platform_cut_is_told_whole(home: Home, source: Path) -> None:
    reasons = [f"column c{i}: {'x' * 100}" for i in range(20)]
    lines = ["starting", f"canarywood train: UserError: {reasons[0]}", *reasons[1:]]
    found = told(home, source, RuntimeError("\n".join(reasons)), *lines)
    assert found[:20] == [f"train failed: UserError: {reasons[0]}", *reasons[1:]]
    assert found[20:] == ["", f"the whole log: {home.log('train')}"]


def test_a_failed_job_tells_its_reason_its_last_lines_and_its_log(home: Home, source: Path) -> None:
    lines = ["starting", "", "canarywood train: AlgorithmError: no memory", "for trees"]
    assert told(home, source, ArithmeticError("no memory\nfor trees"), *lines) == [
        "train failed: AlgorithmError: no memory",
        "for trees",
        "",
        "the last lines of its log:",
        "  starting",
        "",
        f"the whole log: {home.log('train')}",
    ]
    assert not home.stamp("train").exists()


def test_a_job_that_failed_is_not_reused(home: Home, source: Path) -> None:
    def fail(layout: Layout) -> None:  # noqa: ARG001 - the form of a command
        raise RuntimeError("no")

    runtime = FakeRuntime()
    step = train_step(home, source)
    jobs.run(step, home, runtime, nothing, fresh=False)
    failing = FakeRuntime(commands={"train": fail})
    with pytest.raises(jobs.JobError):
        jobs.run(step, home, failing, nothing, fresh=True)
    assert not jobs.run(step, home, runtime, nothing, fresh=False).reused


def test_a_job_without_a_reason_tells_its_exit_status(tmp_path: Path) -> None:
    text = jobs.failure("train", -9, Layout(tmp_path), tmp_path / "none.log")
    assert text.splitlines()[0] == "train failed: exit status -9, and no reason was left"


def test_of_training_only_metric_lines_are_shown() -> None:
    shown: list[str] = []
    watch = jobs.watcher("train", shown.append)
    for line in ("loading", "[9]\ttrain-auc:0.71\tvalidation-auc:0.66", '{"message": "saved"}'):
        watch(line)
    assert shown == ["[9]\ttrain-auc:0.71\tvalidation-auc:0.66"]


def test_of_other_jobs_messages_are_shown_without_their_json() -> None:
    shown: list[str] = []
    watch = jobs.watcher("preprocess", shown.append)
    for line in ("plain", '{"level": "INFO", "message": "split"}', "{no json", ""):
        watch(line)
    assert shown == ["plain", "split", "{no json"]


def test_the_stamp_holds_the_digest(home: Home, source: Path) -> None:
    step = train_step(home, source)
    jobs.run(step, home, FakeRuntime(), nothing, fresh=False)
    stamp = read_json(home.stamp("train"))
    assert isinstance(stamp, dict)
    assert stamp["digest"] == step.digest("code 1")
