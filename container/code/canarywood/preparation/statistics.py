"""Statistics of a table's columns, in the form of Model Monitor's statistics.json.

Source of the form: AWS, "Schema for Statistics (statistics.json file)".
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

HISTOGRAM_BINS = 10
TEXTS_LISTED = 50


def statistics(columns: Mapping[str, NDArray[Any]], rows: int) -> dict[str, Any]:
    """Statistics of columns read by a schema: float64 with NaN, or objects with None."""
    features = [
        _of_texts(name, values) if values.dtype == object else _of_numbers(name, values)
        for name, values in columns.items()
    ]
    return {"version": 0.0, "dataset": {"item_count": rows}, "features": features}


def _of_numbers(name: str, values: NDArray[np.float64]) -> dict[str, Any]:
    present = values[~np.isnan(values)]
    common = {"num_present": len(present), "num_missing": len(values) - len(present)}
    whole = bool(len(present)) and bool((present == np.round(present)).all())
    found: dict[str, Any] = {"common": common}
    if len(present):
        counts, edges = np.histogram(present, bins=HISTOGRAM_BINS)
        found |= {
            "mean": float(present.mean()),
            "sum": float(present.sum()),
            "std_dev": float(present.std()),
            "min": float(present.min()),
            "max": float(present.max()),
            "distribution": {
                "kll": {
                    "buckets": [
                        {"lower_bound": float(low), "upper_bound": float(high), "count": int(count)}
                        for low, high, count in zip(edges[:-1], edges[1:], counts, strict=True)
                    ]
                }
            },
        }
    return {
        "name": name,
        "inferred_type": "Integral" if whole else "Fractional",
        "numerical_statistics": found,
    }


def _of_texts(name: str, values: NDArray[Any]) -> dict[str, Any]:
    counts = Counter(text for text in values.tolist() if text is not None)
    present = sum(counts.values())
    return {
        "name": name,
        "inferred_type": "String",
        "string_statistics": {
            "common": {"num_present": present, "num_missing": len(values) - present},
            "distinct_count": len(counts),
            "distribution": {
                "categorical": {
                    "buckets": [
                        {"value": text, "count": count}
                        for text, count in counts.most_common(TEXTS_LISTED)
                    ]
                }
            },
        },
    }
