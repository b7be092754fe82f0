"""Opens one old model file and saves its booster as UBJSON: a script, run by ops.convert alone.

    python -I open_model.py read|unpickle FILE

Leaves model.ubj and result.json in the working directory. Opening a pickle runs its code, in this
process, so nothing else is done here; and what is left here is not to be believed blindly.
"""

from __future__ import annotations

import importlib
import importlib.util
import json
import math
import pickle
import sys
import warnings
from pathlib import Path
from typing import Any

MODEL, RESULT = "model.ubj", "result.json"
MOST_CLASSES = 20  # that a note lists


class Unusable(Exception):  # noqa: N818 - told to the caller, who makes an error of it
    """Why no booster came of the file."""


def main() -> int:
    """Write result.json: `{"type", "facts", "notes"}`, or `{"error"}`."""
    way, file = sys.argv[1], Path(sys.argv[2])
    try:
        with warnings.catch_warnings(record=True) as said:
            warnings.simplefilter("always")
            result = _read(file) if way == "read" else _unpickle(file)
        result["notes"] += [f"XGBoost: {_sentence(str(each.message))}" for each in said]
    except Unusable as error:
        result = {"error": str(error)}
    Path(RESULT).write_text(json.dumps(result))
    return 0


def _read(file: Path) -> dict[str, Any]:
    """A file in a format of XGBoost's own: no code runs."""
    xgboost = importlib.import_module("xgboost")
    content = file.read_bytes()
    booster = xgboost.Booster()
    try:
        if not content:
            raise Unusable("the file is empty")
        booster.load_model(bytearray(content))
    except xgboost.core.XGBoostError as error:
        raise Unusable(f"XGBoost {xgboost.__version__}: {_sentence(str(error))}") from error
    return _save(booster, "a model file of XGBoost's own", [])


def _unpickle(file: Path) -> dict[str, Any]:
    xgboost = importlib.import_module("xgboost")
    found = _load(file)
    name = f"{type(found).__module__}.{type(found).__qualname__}"
    if isinstance(found, xgboost.Booster):
        return _save(found, name, _best_round(found))
    if not isinstance(found, xgboost.XGBModel):
        raise Unusable(
            f"it holds a {name}; only an XGBoost Booster, or a model such as XGBClassifier and "
            "XGBRegressor, can be converted"
        )
    try:
        booster = found.get_booster()
    except Exception as error:
        raise Unusable(f"its {name} is not fitted") from error
    return _save(_cut(booster), name, [*_of_wrapper(found), *_best_round(booster)])


def _load(file: Path) -> Any:
    try:
        if importlib.util.find_spec("joblib"):  # reads plain pickles too
            return importlib.import_module("joblib").load(file)
        with file.open("rb") as stream:
            return pickle.load(stream)  # noqa: S301 - the point of it; the user has vouched for it
    except ModuleNotFoundError as error:
        raise Unusable(f"it needs the package {error.name}, which is not installed here") from error
    except Exception as error:
        raise Unusable(f"it cannot be unpickled: {type(error).__name__}: {error}") from error


def _cut(booster: Any) -> Any:
    """The booster as the model's own predict uses it: to the best round of early stopping."""
    best = booster.attr("best_iteration")
    config = json.loads(booster.save_config())["learner"]
    if best is None or config["learner_train_param"]["booster"] != "gbtree":
        return booster
    cut = booster[: int(best) + 1]
    cut.set_attr(**booster.attributes())
    return cut


def _best_round(booster: Any) -> list[str]:
    best = booster.attr("best_iteration")
    if best is None:
        return []
    return [f"early stopping found round {best} the best: answers come from rounds 0 to {best}"]


def _of_wrapper(model: Any) -> list[str]:
    """What the model knew, and a booster does not."""
    notes = []
    missing = getattr(model, "missing", None)
    if missing is not None and not (isinstance(missing, float) and math.isnan(missing)):
        notes.append(f"{missing!r} was a missing value: send null or an empty cell in its place")
    if callable(getattr(model, "objective", None)):
        notes.append("its objective was a function of yours: answers are margins")
    classes = [str(each) for each in getattr(getattr(model, "_le", None), "classes_", ())]
    if classes and classes != [str(number) for number in range(len(classes))]:
        shown = ", ".join(classes[:MOST_CLASSES])
        notes.append(f"answers are of classes 0 to {len(classes) - 1}, which were: {shown}")
    return notes


def _save(booster: Any, name: str, notes: list[str]) -> dict[str, Any]:
    Path(MODEL).write_bytes(bytes(booster.save_raw("ubj")))
    learner = json.loads(booster.save_config())["learner"]
    facts = {
        "objective": learner["objective"]["name"],
        "features": booster.num_features(),
        "rounds": booster.num_boosted_rounds(),
    }
    return {"type": name, "facts": facts, "notes": notes}


def _sentence(text: str) -> str:
    """The message of XGBoost's, without time, file and stack."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    first = lines[0] if lines else "no reason given"
    return first.partition(": ")[2] or first


if __name__ == "__main__":
    sys.exit(main())
