from pathlib import Path

import pytest

from ops import ending
from ops.plan import Home
from ops.project import load
from ops.servers import Server


@pytest.mark.parametrize(
    ("train", "said"),
    [("{eta: 0.1}", "set train.max_depth in "), ("{max_depth: 3}", "change train.max_depth in ")],
)
def test_the_next_step_fits_the_file(tmp_path: Path, train: str, said: str) -> None:
    text = f"name: toy\ndata: {{files: a, target: y}}\ntrain: {train}\n"
    (tmp_path / "project.yml").write_text(text)
    server = Server("toy", 1, 8080, str(tmp_path), "")
    lines = dict(ending.next_steps(load(tmp_path), Home(tmp_path), server))
    assert lines["try next"].startswith(said)
