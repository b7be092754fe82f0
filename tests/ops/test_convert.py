"""Old model files become artifacts; a pickle is opened for those alone who vouch for it."""

from __future__ import annotations

import gzip
import json
import os
import pickle
import socket
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import pytest
import xgboost as xgb
from click.testing import CliRunner
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from canarywood.artifact import MODEL_FILE, Artifact
from canarywood.errors import ArtifactError, UserError
from canarywood.serving.scorer import Scorer
from ops.__main__ import cli
from ops.convert import _cut_off, convert

ROWS = np.random.default_rng(0).normal(size=(200, 4)).astype(np.float32)
LABELS = (ROWS[:, 0] + 0.3 * ROWS[:, 1] > 0).astype(int)


def fitted(**parameters: Any) -> xgb.XGBClassifier:
    model = xgb.XGBClassifier(n_estimators=20, max_depth=3, n_jobs=1, **parameters)
    return model.fit(ROWS[:150], LABELS[:150], eval_set=[(ROWS[150:], LABELS[150:])], verbose=False)


def put(folder: Path, model: object, protocol: int = pickle.HIGHEST_PROTOCOL) -> Path:
    path = folder / "model.pkl"
    path.write_bytes(pickle.dumps(model, protocol))
    return path


class Trap:
    """Opening a pickle of it calls a function."""

    def __init__(self, function: Any, *arguments: Any) -> None:
        self.call = (function, arguments)

    def __reduce__(self) -> Any:
        return self.call


def test_a_classifier_answers_as_it_did(tmp_path: Path) -> None:
    model = fitted()
    done = convert(put(tmp_path, model), tmp_path / "out", trust=True)
    assert (done.kind, done.objective) == ("xgboost.sklearn.XGBClassifier", "binary:logistic")
    assert (done.features, done.rounds, done.notes) == (4, 20, ())
    assert [path.name for path in (tmp_path / "out").iterdir()] == [MODEL_FILE]
    Artifact(tmp_path / "out").check()
    answers = Scorer.load(tmp_path / "out").predict(ROWS)
    np.testing.assert_array_equal(answers, model.predict_proba(ROWS)[:, 1])


def test_after_early_stopping_the_best_rounds_are_left(tmp_path: Path) -> None:
    model = fitted(early_stopping_rounds=2, learning_rate=1.0)
    best = model.best_iteration
    assert model.get_booster().num_boosted_rounds() > best + 1
    done = convert(put(tmp_path, model), tmp_path / "out", trust=True)
    assert done.rounds == best + 1
    assert any(f"round {best} the best" in note for note in done.notes)
    answers = Scorer.load(tmp_path / "out").predict(ROWS)
    np.testing.assert_array_equal(answers, model.predict_proba(ROWS)[:, 1])


@pytest.mark.parametrize("compress", [0, 3, ("bz2", 3), ("xz", 3)])
def test_a_joblib_file_is_a_pickle_packed_or_not(tmp_path: Path, compress: Any) -> None:
    model = xgb.XGBRegressor(n_estimators=3, n_jobs=1, missing=-999.0).fit(ROWS, ROWS[:, 0])
    path = tmp_path / "model.joblib"
    joblib.dump(model, path, compress=compress)
    with pytest.raises(UserError, match="is a pickle"):
        convert(path, tmp_path / "out", trust=False)
    done = convert(path, tmp_path / "out", trust=True)
    assert (done.kind, done.rounds) == ("xgboost.sklearn.XGBRegressor", 3)
    assert "-999.0 was a missing value: send null or an empty cell in its place" in done.notes


@pytest.mark.parametrize("protocol", [0, 2, 5])
def test_a_booster_of_any_protocol_is_converted(tmp_path: Path, protocol: int) -> None:
    booster = xgb.train({"nthread": 1}, xgb.DMatrix(ROWS, LABELS), 3)
    done = convert(put(tmp_path, booster, protocol), tmp_path / "out", trust=True)
    assert (done.kind, done.objective) == ("xgboost.core.Booster", "reg:squarederror")
    answers = Scorer.load(tmp_path / "out").predict(ROWS)
    np.testing.assert_array_equal(answers, booster.predict(xgb.DMatrix(ROWS)))


def test_a_model_file_of_xgboosts_own_needs_no_trust(tmp_path: Path) -> None:
    fitted().save_model(tmp_path / "model.json")
    done = convert(tmp_path / "model.json", tmp_path / "out", trust=False)
    assert (done.kind, done.rounds) == ("a model file of XGBoost's own", 20)
    assert (tmp_path / "out" / MODEL_FILE).read_bytes()[:2] == b"{L"  # UBJSON


@pytest.mark.parametrize(
    ("model", "kind"),
    [
        ({"model": 1}, "builtins.dict"),
        (make_pipeline(StandardScaler()), "sklearn.pipeline.Pipeline"),
        (np.zeros(3), "numpy.ndarray"),
        (None, "builtins.NoneType"),
    ],
)
def test_anything_else_is_refused_by_its_type(tmp_path: Path, model: object, kind: str) -> None:
    with pytest.raises(UserError, match=f"it holds a {kind}; only an XGBoost Booster"):
        convert(put(tmp_path, model), tmp_path / "out", trust=True)
    assert not (tmp_path / "out").exists()


def test_a_model_that_was_never_fitted_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="XGBClassifier is not fitted"):
        convert(put(tmp_path, xgb.XGBClassifier()), tmp_path / "out", trust=True)


@pytest.mark.parametrize("protocol", [0, 1, 2, 5])
@pytest.mark.parametrize("packed", [False, True])
def test_without_trust_no_pickle_is_opened(tmp_path: Path, protocol: int, packed: bool) -> None:
    sprung = tmp_path / "sprung"
    path = put(tmp_path, Trap(Path.touch, sprung), protocol)
    if packed:
        path.write_bytes(gzip.compress(path.read_bytes()))
    with pytest.raises(UserError, match=r"pickle.* runs the code .* say so with --trust"):
        convert(path, tmp_path / "out", trust=False)
    assert not sprung.exists()
    assert not (tmp_path / "out").exists()


def test_trust_is_what_it_says(tmp_path: Path) -> None:
    sprung = tmp_path / "sprung"
    with pytest.raises(UserError, match=r"it holds a builtins\.NoneType"):
        convert(put(tmp_path, Trap(Path.touch, sprung)), tmp_path / "out", trust=True)
    assert sprung.exists()  # its code did run


def test_a_pickle_sees_an_empty_folder_and_no_secret_of_the_environment(tmp_path: Path) -> None:
    code = (
        "import os, json, pathlib; pathlib.Path({!r}).write_text(json.dumps("
        "[sorted(os.environ), os.listdir()]))"
    )
    seen = tmp_path / "seen"
    os.environ["A_SECRET"] = "hush"  # noqa: S105 - not one
    try:
        with pytest.raises(UserError, match="it holds a"):
            convert(put(tmp_path, Trap(exec, code.format(str(seen)))), tmp_path / "out", trust=True)
    finally:
        del os.environ["A_SECRET"]
    names, folder = json.loads(seen.read_text())
    assert {"HOME", "PATH", "TMPDIR"} <= set(names)
    assert "A_SECRET" not in names
    assert folder == ["log"]


@pytest.mark.skipif(not _cut_off(), reason="this system does not let us cut the network off")
def test_a_pickle_has_no_network(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        call = Trap(socket.create_connection, server.getsockname(), 5)
        with pytest.raises(UserError, match="it cannot be unpickled: OSError"):
            convert(put(tmp_path, call), tmp_path / "out", trust=True)
        server.settimeout(0)
        with pytest.raises(BlockingIOError):
            server.accept()


FORGERIES = {
    "no JSON": "open('result.json', 'w').write('{')",
    "not what it says": "open('result.json', 'w').write('{\"type\": \"x\"}')",
    "a link": "os.symlink('/etc/hostname', 'model.ubj'); open('result.json','w').write('{}')",
    "no model": "open('model.ubj', 'w').write('{}'); open('result.json','w').write('{\"a\": 1}')",
}


@pytest.mark.parametrize("what", FORGERIES)
def test_a_result_that_a_pickle_forges_is_not_believed(tmp_path: Path, what: str) -> None:
    code = f"import os; {FORGERIES[what]}; os._exit(0)"
    with pytest.raises((ArtifactError, UserError), match=r"left|gave no model"):
        convert(put(tmp_path, Trap(exec, code)), tmp_path / "out", trust=True)
    assert not (tmp_path / "out").exists()


def test_a_pickle_that_kills_its_process_is_told_with_its_last_words(tmp_path: Path) -> None:
    code = "import os; print('\\x1b[2Jgone', flush=True); os._exit(3)"
    with pytest.raises(UserError, match=r"ended with 3; it said: \?\[2Jgone"):
        convert(put(tmp_path, Trap(exec, code)), tmp_path / "out", trust=True)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "no model file that XGBoost reads"),
        (b"nonsense", "no model file that XGBoost reads"),
        (b"\0\0\0?\x04\0\0\0" + bytes(200), "XGBoost 3.0 and older alone: save it there"),
    ],
)
def test_a_file_that_is_nothing_says_what_it_might_have_been(
    tmp_path: Path, content: bytes, reason: str
) -> None:
    path = tmp_path / "old.model"
    path.write_bytes(content)
    with pytest.raises(UserError, match=reason):
        convert(path, tmp_path / "out", trust=False)


def test_a_folder_that_holds_something_is_left_alone(tmp_path: Path) -> None:
    path = put(tmp_path, None)
    with pytest.raises(UserError, match="is not an empty folder"):
        convert(path, tmp_path, trust=True)


def test_the_command_says_what_it_made_and_how_to_pack_it(tmp_path: Path) -> None:
    path = tmp_path / "model.json"
    fitted().save_model(path)
    words = ["convert", str(path), "--output", str(tmp_path / "out")]
    done = CliRunner().invoke(cli, words, catch_exceptions=False)
    assert done.exit_code == 0
    first, last = done.output.splitlines()
    assert first.startswith("a model file of XGBoost's own: binary:logistic, 4 features, 20 rounds")
    assert last.startswith("pack it: tar -czf model.tar.gz -C ")
