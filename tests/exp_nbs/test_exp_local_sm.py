"""The notebook is clean as it is tracked, and walks the whole road when it is executed."""

import json
import re
from pathlib import Path
from typing import Any

import nbformat
import numpy as np
import pytest
from nbclient import NotebookClient
from sklearn.metrics import roc_auc_score

ROOT = Path(__file__).parents[2]
NOTEBOOK = ROOT / "exp_nbs" / "exp-local-sm.ipynb"

# AUC on April of a model of January to March with the weather, measured without this product.
REFERENCE_AUC = 0.668

FOUND = """
import json
np.savez(work / "april.npz", truth=rows[label].to_numpy(), answered=answered)
print(json.dumps({
    "difference": difference, "suspects": suspects, "auc": auc, "server": server.returncode,
    "validation-auc": curves["validation-auc"], "train-auc": curves["train-auc"],
    "manifest": json.loads((training / "model" / "canarywood" / "manifest.json").read_text()),
    "refused": {what: [found[0], json.loads(found[2])] for what, found in refused.items()},
    "unseen": unseen, "milliseconds": len(milliseconds),
}))
"""


def read() -> Any:
    return nbformat.read(NOTEBOOK, as_version=4)


def code_cells(notebook: Any) -> list[Any]:
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("notebook") / "work"


@pytest.fixture(scope="module")
def executed(folder: Path) -> Any:
    """The notebook after its last cell; its files are in `folder`, one more cell tells values."""
    notebook = read()
    for cell in code_cells(notebook):
        if "parameters" in cell.metadata.get("tags", ()):
            cell.source = f"work = Path({str(folder)!r})"
    notebook.cells.append(nbformat.v4.new_code_cell(FOUND))
    here = {"metadata": {"path": str(NOTEBOOK.parent)}}  # as an editor would open it
    NotebookClient(notebook, timeout=300, kernel_name="python3", resources=here).execute()
    return notebook


@pytest.fixture(scope="module")
def found(executed: Any) -> Any:
    return json.loads(executed.cells[-1].outputs[0].text)


def test_the_tracked_notebook_has_no_outputs_and_no_traces_of_a_run() -> None:
    notebook = read()
    assert [cell.outputs for cell in code_cells(notebook)] == [[]] * len(code_cells(notebook))
    assert {cell.execution_count for cell in code_cells(notebook)} == {None}
    assert set(notebook.metadata) == {"kernelspec", "language_info"}
    assert notebook.metadata.kernelspec.name == "python3"


def test_the_tracked_notebook_names_no_path_of_a_machine() -> None:
    text = NOTEBOOK.read_text()
    assert re.findall(r"/(?:home|root|work|Users|tmp)/", text) == []


@pytest.mark.slow
def test_every_answer_for_april_is_the_one_of_xgboost(found: Any) -> None:
    assert found["difference"] == 0


@pytest.mark.slow
def test_auc_is_that_of_sklearn_and_agrees_with_the_reference(found: Any, folder: Path) -> None:
    april = np.load(folder / "april.npz")
    truth, answered = april["truth"], april["answered"]
    assert found["auc"] == pytest.approx(roc_auc_score(truth, answered), abs=1e-12)

    dice = np.random.default_rng(0)
    drawn = [dice.integers(0, len(truth), len(truth)) for _ in range(200)]
    values = [roc_auc_score(truth[rows], answered[rows]) for rows in drawn]
    low, high = np.percentile(values, [0.5, 99.5])
    assert low < REFERENCE_AUC < high


@pytest.mark.slow
def test_the_departure_delay_alone_is_named_as_leakage(found: Any) -> None:
    assert found["suspects"] == ["dep_delay"]


@pytest.mark.slow
def test_sagemakers_regexes_find_every_round(found: Any) -> None:
    metrics = found["manifest"]["metrics"]
    for name in ("train-auc", "validation-auc"):
        assert len(found[name]) == 100
        assert found[name][-1] == pytest.approx(metrics[name], abs=1e-5)  # five decimals a line


@pytest.mark.slow
def test_bad_requests_are_refused_with_row_and_column(found: Any) -> None:
    told = {
        what: (status, problem["code"], problem.get("row"), problem.get("column"))
        for what, (status, problem) in found["refused"].items()
    }
    assert told == {
        "not a number": (400, "number", 2, "month"),
        "a cell too few": (422, "feature_count", 1, None),
        "infinite": (422, "non_finite", 1, "temp"),
        "nothing": (400, "empty_body", None, None),
        "an unknown column": (422, "unknown_feature", 1, "dep_delay"),
        "a picture": (415, "unsupported_media_type", None, None),
    }
    assert found["unseen"][0] == 200


@pytest.mark.slow
def test_the_server_drains_and_ends_with_zero(found: Any) -> None:
    assert found["milliseconds"] == 500
    assert found["server"] == 0


@pytest.mark.slow
def test_the_pictures_and_the_report_are_shown_and_nothing_is_warned_of(executed: Any) -> None:
    outputs = [output for cell in code_cells(executed) for output in cell.outputs]
    kinds = [kind for output in outputs for kind in output.get("data", ())]
    assert kinds.count("image/png") == 5
    reports = [o.data["text/html"] for o in outputs if "text/html" in o.get("data", ())]
    assert len(reports) == 1
    assert 'srcdoc="&lt;!doctype html&gt;' in reports[0]
    assert [o.text for o in outputs if o.output_type == "stream" and o.name == "stderr"] == []
