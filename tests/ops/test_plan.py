from pathlib import Path

from canarywood.contract import Layout
from ops.plan import Copy, Home, Step, plan
from ops.project import Project, Table


def make_project(**changes: object) -> Project:
    values: dict[str, object] = {
        "name": "toy",
        "folder": Path("/toy"),
        "tables": (Table("data", ("a.csv",)),),
        "data": {"name": "toy", "target": {"column": "y"}},
        "hyperparameters": {"eta": "0.1"},
        "environment": {},
    }
    return Project(**{**values, **changes})  # type: ignore[arg-type]  # of the test's own making


def test_the_plan_lays_what_the_platform_lays() -> None:
    home = Home(Path("/home"))
    steps = plan(make_project(), home, {"data": [Path("/x/a.csv")], "rain": [Path("/x/b")]})
    preprocess, train, evaluate = steps
    made = Path("/home/preprocess/processing/output")
    assert [step.command for step in steps] == ["preprocess", "train", "evaluate"]
    assert preprocess.copies == (
        Copy(Path("/x/a.csv"), "processing/input/data/a.csv"),
        Copy(Path("/x/b"), "processing/input/rain/b"),
    )
    assert preprocess.config == {
        "processing/input/config/data.json": {"name": "toy", "target": {"column": "y"}}
    }
    assert preprocess.hyperparameters is None
    assert train.copies == (
        Copy(made / "train", "input/data/train"),
        Copy(made / "validation", "input/data/validation"),
        Copy(made / "schema", "input/data/schema"),
    )
    assert train.hyperparameters == {"eta": "0.1"}
    assert evaluate.copies == (
        Copy(Path("/home/model.tar.gz"), "processing/model/model.tar.gz"),
        Copy(made / "test", "processing/test"),
        Copy(made / "report" / "preprocess.json", "processing/report/preprocess.json"),
    )


def step(folder: Path, **changes: object) -> Step:
    values: dict[str, object] = {
        "command": "train",
        "layout": Layout(folder / "base"),
        "copies": (Copy(folder / "in", "input/data/train"),),
        "hyperparameters": {"eta": "0.1"},
    }
    return Step(**{**values, **changes})  # type: ignore[arg-type]  # of the test's own making


def test_the_digest_follows_contents_code_and_parameters(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    file = tmp_path / "in" / "part-0"
    file.write_text("one")
    first = step(tmp_path).digest("code")
    assert step(tmp_path).digest("code") == first
    assert step(tmp_path).digest("other code") != first
    assert step(tmp_path, hyperparameters={"eta": "0.2"}).digest("code") != first
    assert step(tmp_path, command="evaluate").digest("code") != first
    file.touch()
    assert step(tmp_path).digest("code") == first
    file.write_text("two")
    assert step(tmp_path).digest("code") != first
    file.write_text("one")
    file.rename(file.with_name("part-1"))
    assert step(tmp_path).digest("code") != first
