"""Which files of an artifact are its models."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import pytest

from canarywood.artifact import MANIFEST_FILE, Artifact, Manifest
from canarywood.errors import ArtifactError

FOLDS = tuple(f"xgboost-model-{number}" for number in range(11))
MANIFEST = Manifest(
    created="2026-01-01T00:00:00Z",
    canarywood="0.1.0",
    xgboost="3.2.0",
    python="3.11",
    objective="binary:logistic",
    rounds=3,
    features=2,
    outputs=1,
)


def fill(folder: Path, *names: str) -> Path:
    for name in names:
        (folder / name).write_bytes(b"{L" + name.encode())
    return folder


def names(folder: Path) -> tuple[str, ...]:
    return tuple(path.name for path in Artifact(folder).model_paths)


def test_one_model_is_the_rule(tmp_path: Path) -> None:
    MANIFEST.write(fill(tmp_path, "xgboost-model"))

    assert names(tmp_path) == ("xgboost-model",)
    assert names(fill(tmp_path, "other")) == ("xgboost-model",)


def test_the_manifest_names_the_models_of_a_cross_validation(tmp_path: Path) -> None:
    fill(tmp_path, *FOLDS)
    dataclasses.replace(MANIFEST, models=FOLDS).write(tmp_path)

    found = Artifact(tmp_path)

    assert names(tmp_path) == FOLDS
    assert found.manifest is not None
    assert found.manifest.models == FOLDS
    assert set(found.manifest.sha256) == set(FOLDS)
    found.check()
    (tmp_path / FOLDS[7]).write_bytes(b"{other")
    with pytest.raises(ArtifactError, match="xgboost-model-7 is not the file"):
        Artifact(tmp_path).check()


def test_fold_models_of_awss_own_image_are_found_in_the_order_of_their_numbers(
    tmp_path: Path,
) -> None:
    fill(tmp_path, *FOLDS, "xgboost-model-extra", "metrics.json")

    assert names(tmp_path) == FOLDS


def test_a_fold_that_is_a_pickle_is_refused(tmp_path: Path) -> None:
    fill(tmp_path, *FOLDS)
    (tmp_path / FOLDS[5]).write_bytes(b"\x80\x04")

    with pytest.raises(ArtifactError, match="xgboost-model-5 is a pickle"):
        Artifact(tmp_path).check()


@pytest.mark.parametrize("name", ["xgboost-model-11", "../outside", "/etc/hostname", "a/b"])
def test_a_model_that_is_not_at_the_root_is_none(tmp_path: Path, name: str) -> None:
    root = tmp_path / "model"
    root.mkdir()
    fill(tmp_path, "outside")
    dataclasses.replace(MANIFEST, models=(*FOLDS, name)).write(fill(root, *FOLDS))

    with pytest.raises(ArtifactError, match="is not there"):
        names(root)


def test_a_manifest_without_the_list_has_one_model(tmp_path: Path) -> None:
    MANIFEST.write(fill(tmp_path, "xgboost-model"))
    path = tmp_path / MANIFEST_FILE
    value = json.loads(path.read_text())
    del value["models"]
    path.write_text(json.dumps(value))

    assert names(tmp_path) == ("xgboost-model",)
