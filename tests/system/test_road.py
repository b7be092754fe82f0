"""The whole road on a small table, with real commands as real processes."""

import io
import json
import random
import shlex
from collections.abc import Iterator
from http.client import HTTPConnection
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from canarywood.errors import CanarywoodError
from ops import ending, servers
from ops.jobs import JobError
from ops.project import load
from ops.road import FOLDER, Road
from ops.runtime import ProcessRuntime
from ops.screen import Screen

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]

PROJECT = """
name: small
data:
  files: rows.csv
  target: {column: bought, classes: ["no", "yes"]}
  split: {by: random, validation: 0.2, test: 0.2, seed: 0, stratify: true}
train: {objective: "binary:logistic", eval_metric: auc, num_round: 20, max_depth: 3, seed: 0}
serve: {MODEL_SERVER_WORKERS: 1}
"""


def write_rows(path: Path) -> None:
    """600 rows: who is in town b, or older than 60, buys."""
    dice = random.Random(0)
    lines = ["town,age,bought"]
    for _ in range(600):
        town, age = dice.choice("abc"), dice.randrange(18, 90)
        buys = town == "b" or age > 60
        lines.append(f"{town},{age},{'yes' if buys else 'no'}")
    path.write_text("\n".join(lines) + "\n")


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    write_rows(tmp_path / "rows.csv")
    (tmp_path / "project.yml").write_text(PROJECT)
    (tmp_path / "datasets.toml").write_text("")
    yield tmp_path
    for server in servers.running(tmp_path / FOLDER):
        servers.stop(server, tmp_path / FOLDER / server.project)


def walk(folder: Path) -> tuple[Road, list[str]]:
    """Walk, and what the operator has seen."""
    stream = io.StringIO()
    screen = Screen(stream, {})
    road = Road(load(folder), folder, folder / "cache", ProcessRuntime(ROOT), screen)
    served = road.walk(18_080)
    ending.show(road.project, road.home, served.server, screen)
    return road, stream.getvalue().splitlines()


def answer_of(curl: str) -> str:
    """Send what a printed curl command would send."""
    _, _, url, _, content_type, _, accept, _, body = shlex.split(curl)
    place = urlsplit(url)
    connection = HTTPConnection(str(place.hostname), place.port, timeout=20)
    headers = dict(header.split(": ") for header in (content_type, accept))
    connection.request("POST", place.path, body, headers)
    answer = connection.getresponse().read().decode()
    connection.close()
    return answer


def test_from_a_table_to_answers_and_a_second_walk_reuses_it_all(folder: Path) -> None:
    road, shown = walk(folder)
    begin = shown.index("10 test rows that the model has never seen:") + 2
    rows = [line.split() for line in shown[begin : begin + 10]]
    right = [(float(row[-2]) > 0.5) == (row[-1] == "yes") for row in rows]
    assert right == [True] * 10
    assert (road.home.evaluation / "report.html").stat().st_size > 1000

    places = [place for place, line in enumerate(shown) if line.startswith("  curl")]
    answers = [answer_of(shown[place]).strip() for place in places]
    assert answers == [shown[place + 1].strip() for place in places]
    assert f"{float(answers[0]):.3f}" == rows[0][-2]
    assert json.loads(answers[1]) == {"predictions": [{"score": float(answers[0])}]}

    _, again = walk(folder)
    assert ["reused: " in line for line in again[1:5]] == [True] * 4
    assert again[again.index(shown[begin - 2]) :] == shown[begin - 2 :]


def test_a_wrong_hyperparameter_is_told_in_the_jobs_own_words(folder: Path) -> None:
    (folder / "project.yml").write_text(PROJECT.replace("max_depth", "max_dept"))
    with pytest.raises(JobError, match=r"train failed: UserError: .*max_depth"):
        walk(folder)
    assert servers.running(folder / FOLDER) == []


def test_a_target_that_is_not_there_is_told_by_preprocess(folder: Path) -> None:
    (folder / "project.yml").write_text(PROJECT.replace("column: bought", "column: bougth"))
    with pytest.raises(CanarywoodError, match=r"preprocess failed: UserError: .*bougth"):
        walk(folder)
