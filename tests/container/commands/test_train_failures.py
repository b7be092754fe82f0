"""What a training job leaves in the failure file."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.container.commands.jobs import Job


@pytest.fixture
def job(tmp_path: Path) -> Job:
    return Job(tmp_path / "ml")


def test_the_failure_file_lists_every_wrong_hyperparameter_on_lines_of_their_own(job: Job) -> None:
    job.put("train", "1,2\n0,3\n")

    assert job.fail(max_detph=3, eta="fast", subsample=3) == (
        "UserError: eta = 'fast': must be a number\n"
        "subsample = '3': must lie between 0 and 1\n"
        "max_detph: XGBoost has no such hyperparameter; did you mean max_depth?"
    )


def refuse_early_stopping(job: Job) -> str:
    job.put("train", "1,2\n0,3\n")
    return job.fail(early_stopping_rounds=3)


def refuse_bad_cell(job: Job) -> str:
    job.put("train", "1,2\n0,x\n")
    return job.fail()


def refuse_labels(job: Job) -> str:
    job.put("train", "-1,2\n0,3\n")
    return job.fail(objective="count:poisson")


def refuse_names(job: Job) -> str:
    job.put("train", "y,a[0]\n0,3\n")
    return job.fail()


def refuse_constraint(job: Job) -> str:
    job.put("train", "y,age\n0,3\n")
    return job.fail(monotone_constraints='{"agee": 1}')


@pytest.mark.parametrize(
    ("failure", "text"),
    [
        (
            refuse_early_stopping,
            "UserError: early_stopping_rounds needs a channel validation to measure on; add one",
        ),
        (
            refuse_bad_cell,
            "UserError: channel train: data.csv, row 2, column f0: 'x' is not a number",
        ),
        (
            refuse_labels,
            "UserError: a label does not fit the objective or the metric (XGBoost: label must be "
            "non-negative for Poisson/Tweedie regression.)",
        ),
        (
            refuse_names,
            "UserError: column 'a[0]': XGBoost takes no [, ] or < in a name; rename it",
        ),
        (
            refuse_constraint,
            "UserError: monotone_constraints: the model has no feature 'agee'; did you mean age?",
        ),
    ],
)
def test_the_failure_file_says_what_and_where(
    job: Job, failure: Callable[[Job], str], text: str
) -> None:
    assert failure(job) == text
