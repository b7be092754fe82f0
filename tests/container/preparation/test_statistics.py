"""Statistics of columns in the form of Model Monitor."""

from __future__ import annotations

import numpy as np

from canarywood.preparation.statistics import statistics


def test_numbers_have_moments_and_a_histogram() -> None:
    column = np.array([1.0, 2.0, 3.0, 6.0, np.nan])
    found = statistics({"x": column}, 5)
    assert found["dataset"] == {"item_count": 5}
    (feature,) = found["features"]
    assert (feature["name"], feature["inferred_type"]) == ("x", "Integral")
    numbers = feature["numerical_statistics"]
    assert numbers["common"] == {"num_present": 4, "num_missing": 1}
    assert (numbers["mean"], numbers["sum"], numbers["min"], numbers["max"]) == (3, 12, 1, 6)
    assert numbers["std_dev"] == np.sqrt(3.5)
    buckets = numbers["distribution"]["kll"]["buckets"]
    assert [bucket["count"] for bucket in buckets] == [1, 0, 1, 0, 1, 0, 0, 0, 0, 1]
    assert (buckets[0]["lower_bound"], buckets[-1]["upper_bound"]) == (1, 6)


def test_fractions_constants_and_extremes_are_numbers_too() -> None:
    columns = {
        "half": np.array([0.5, 1.0]),
        "constant": np.array([7.0, 7.0]),
        "wide": np.array([-3.4e38, 3.4e38]),
        "empty": np.array([np.nan, np.nan]),
    }
    half, constant, wide, empty = statistics(columns, 2)["features"]
    assert half["inferred_type"] == "Fractional"
    assert constant["numerical_statistics"]["std_dev"] == 0
    assert wide["numerical_statistics"]["max"] == 3.4e38
    assert empty["numerical_statistics"] == {"common": {"num_present": 0, "num_missing": 2}}


def test_texts_are_counted_the_most_frequent_first() -> None:
    column = np.array(["b", "a", "b", None], dtype=object)
    (feature,) = statistics({"c": column}, 4)["features"]
    texts = feature["string_statistics"]
    assert texts["common"] == {"num_present": 3, "num_missing": 1}
    assert texts["distinct_count"] == 2
    assert texts["distribution"]["categorical"]["buckets"] == [
        {"value": "b", "count": 2}, {"value": "a", "count": 1},
    ]  # fmt: skip
