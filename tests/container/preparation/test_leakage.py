"""The leakage check: what one column alone tells."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from canarywood.preparation.leakage import bins_of_numbers, bins_of_texts, sample, strength

RANDOM = np.random.default_rng(7)
ROWS = 4000
LABELS = (RANDOM.random(ROWS) < 0.3).astype(np.float32)
AMOUNTS = RANDOM.normal(size=ROWS).astype(np.float32)
CLASSES = RANDOM.integers(0, 3, ROWS).astype(np.float32)


def texts(values: Any) -> Any:
    return bins_of_texts(np.array([str(value) for value in values], dtype=object))


def numbers(values: Any) -> Any:
    return bins_of_numbers(np.array(values, dtype=np.float64))


def test_a_column_equal_to_the_label_gives_it_away() -> None:
    assert strength(texts(LABELS), LABELS, "binary") == 1
    assert strength(numbers(LABELS), LABELS, "binary") == 1
    assert strength(numbers(-LABELS), LABELS, "binary") == 1
    assert strength(texts(CLASSES), CLASSES, "multiclass") == 1
    assert strength(numbers(AMOUNTS), AMOUNTS, "regression") > 0.97


def test_unique_values_say_nothing() -> None:
    names = [f"id{i}" for i in range(ROWS)]
    assert strength(texts(names), LABELS, "binary") == pytest.approx(0.5, abs=0.02)
    assert strength(texts(names), CLASSES, "multiclass") == pytest.approx(0.5, abs=0.02)
    assert strength(texts(names), AMOUNTS, "regression") == pytest.approx(0, abs=0.01)
    assert strength(numbers(RANDOM.permutation(ROWS)), LABELS, "binary") == pytest.approx(
        0.5, abs=0.05
    )


def test_noise_and_constants_say_nothing() -> None:
    assert strength(numbers(RANDOM.random(ROWS)), LABELS, "binary") == pytest.approx(0.5, abs=0.05)
    assert strength(numbers(np.ones(ROWS)), LABELS, "binary") == pytest.approx(0.5, abs=0.02)
    assert strength(numbers(np.full(ROWS, np.nan)), LABELS, "binary") == pytest.approx(
        0.5, abs=0.02
    )
    assert strength(numbers(RANDOM.random(ROWS)), AMOUNTS, "regression") < 0.02


def test_a_noisy_copy_says_nearly_all() -> None:
    flipped = np.where(RANDOM.random(ROWS) < 0.1, 1 - LABELS, LABELS)
    assert 0.85 < strength(texts(flipped), LABELS, "binary") < 0.95
    copy = AMOUNTS + RANDOM.normal(scale=0.3, size=ROWS)
    assert 0.85 < strength(numbers(copy), AMOUNTS, "regression") < 0.95


def test_that_a_cell_is_missing_may_give_the_label_away() -> None:
    values = np.where(LABELS == 1, np.nan, RANDOM.random(ROWS))
    assert strength(numbers(values), LABELS, "binary") == 1
    cells = np.array([None if label else "x" for label in LABELS], dtype=object)
    assert strength(bins_of_texts(cells), LABELS, "binary") == 1


def test_one_class_or_no_rows_say_nothing() -> None:
    assert strength(numbers(np.arange(5)), np.zeros(5, np.float32), "binary") == 0.5
    assert strength(numbers([]), np.zeros(0, np.float32), "binary") == 0.5
    assert strength(numbers(np.arange(5)), np.ones(5, np.float32), "regression") == 0


def test_a_sample_is_the_same_each_time_and_never_too_large() -> None:
    assert sample(10).tolist() == list(range(10))
    assert len(sample(60_000)) == 50_000
    assert sample(60_000).tolist() == sample(60_000).tolist()
