from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from canarywood.errors import DataError
from canarywood.training.folds import Folds
from canarywood.training.rows import Rows


def rows(labels: NDArray[np.generic], key: NDArray[np.generic] | None = None) -> Rows:
    return Rows(
        np.zeros((len(labels), 1), dtype=np.float32),
        labels.astype(np.float32),
        None,
        "csv",
        {},
        key,
    )


@given(st.integers(2, 40), st.data(), st.booleans())
def test_every_row_is_held_out_once_a_round(count: int, data: st.DataObject, classes: bool) -> None:
    size = data.draw(st.integers(count, 200))
    labels = np.random.default_rng(size).integers(0, 3, size)

    pairs = list(Folds(count, rounds=2).split(rows(labels), classes=classes))

    assert len(pairs) == 2 * count
    for first in (0, count):
        held = np.concatenate([pair[1] for pair in pairs[first : first + count]])
        assert sorted(held.tolist()) == list(range(size))
    for kept, held_out in pairs:
        assert sorted([*kept.tolist(), *held_out.tolist()]) == list(range(size))
        assert abs(len(held_out) - size / count) < 1


def test_stratified_folds_have_the_shares_of_the_classes() -> None:
    labels = np.r_[np.zeros(90), np.ones(10)]

    for _, held in Folds(5).split(rows(labels), classes=True):
        assert labels[held].sum() == 2
        assert len(held) == 20


def test_rounds_differ_and_the_seed_repeats_them() -> None:
    labels = np.arange(50)

    def held(seed: int) -> list[list[int]]:
        folds = Folds(5, rounds=2, seed=seed).split(rows(labels), classes=False)
        return [pair[1].tolist() for pair in folds]

    assert held(3) == held(3)
    assert held(3) != held(4)
    assert held(3)[:5] != held(3)[5:]


def test_a_group_is_never_on_both_sides() -> None:
    key = np.random.default_rng(0).integers(0, 30, 200).astype(str)

    sizes = []
    for kept, held in Folds(4, by="group").split(rows(np.zeros(200), key), classes=True):
        assert not set(key[kept]) & set(key[held])
        sizes.append(len(held))
    assert sum(sizes) == 200
    assert max(sizes) - min(sizes) <= 12


def test_every_time_fold_lies_behind_the_rows_it_is_predicted_from() -> None:
    key = np.random.default_rng(0).permutation(np.repeat(np.arange(40), 5))

    pairs = list(Folds(3, by="time").split(rows(np.zeros(200), key), classes=True))

    assert len(pairs) == 3
    for kept, held in pairs:
        assert key[kept].max() < key[held].min()
    assert [len(kept) for kept, _ in pairs] == [50, 100, 150]
    assert sorted(np.concatenate([held for _, held in pairs]).tolist()) == sorted(
        np.flatnonzero(key >= 10).tolist()
    )


@pytest.mark.parametrize(
    ("folds", "key", "sentence"),
    [
        (Folds(5), None, "5 folds need at least as many rows; there are 4"),
        (
            Folds(3, by="group"),
            np.array(["a", "b", "a", "b"]),
            "3 folds need at least as many groups; there are 2",
        ),
        (
            Folds(3, by="time"),
            np.array([1, 1, 2, 2]),
            "3 folds need at least as many times behind the first; there are 1",
        ),
        (
            Folds(2, by="time"),
            np.array([1, 2, 3, 3, 3, 3, 3, 3]),
            "too many rows are of the same time to make 2 folds; use fewer folds",
        ),
    ],
)
def test_too_little_to_split_is_an_error(
    folds: Folds, key: NDArray[np.generic] | None, sentence: str
) -> None:
    size = 4 if key is None else len(key)
    with pytest.raises(DataError) as caught:
        list(folds.split(rows(np.zeros(size), key), classes=False))
    assert str(caught.value) == sentence
