"""How far a metric would move on other test rows of the same kind: the seeded bootstrap.

Model Monitor takes five samples of 80 % and gives no deviation below 200 rows. The bootstrap
(draw as many rows, with replacement) says the same thing without the bias of the 80 %; the limit
of 200 rows is kept. A row drawn n times weighs n times, so the sorted rows are used again.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from canarywood.evaluation.metrics import Floats, Scored

LEAST_ROWS = 200  # Model Monitor writes "NaN" below
MOST_RESAMPLES = 200
LEAST_RESAMPLES = 20
EFFORT = 8_000_000  # numbers touched in all resamples together: about a second


def resamples_for(scored: Scored) -> int:
    """Fewer resamples of larger tables, whose metrics hardly move anyway."""
    return int(np.clip(EFFORT // max(scored.effort, 1), LEAST_RESAMPLES, MOST_RESAMPLES))


def resampled(
    scored: Scored, weights: Floats, names: Sequence[str], *, seed: int = 0, resamples: int
) -> Floats:
    """Metrics of each resample, shape (resamples, names); NaN where one is undefined."""
    generator = np.random.default_rng(seed)
    found = np.empty((resamples, len(names)))
    for i in range(resamples):
        drawn = generator.integers(0, scored.rows, scored.rows)
        values = scored.metrics(weights * np.bincount(drawn, minlength=scored.rows))
        found[i] = [values[name] for name in names]
    return found


def deviations(scored: Scored, weights: Floats, *, seed: int = 0) -> dict[str, float]:
    """Standard deviation of each metric by name; NaN below 200 rows or where often undefined."""
    names = list(scored.metrics(weights))
    if scored.rows < LEAST_ROWS:
        return dict.fromkeys(names, float("nan"))
    found = resampled(scored, weights, names, seed=seed, resamples=resamples_for(scored))
    return {name: _spread(found[:, i]) for i, name in enumerate(names)}


def interval(values: Floats) -> tuple[float, float]:
    """The middle 95 % of resampled values; NaN where the metric was often undefined."""
    kept = values[np.isfinite(values)]
    if len(kept) < 0.9 * len(values):
        return float("nan"), float("nan")
    low, high = np.quantile(kept, [0.025, 0.975])
    return float(low), float(high)


def _spread(values: Floats) -> float:
    kept = values[np.isfinite(values)]
    return float(kept.std(ddof=1)) if len(kept) >= 0.9 * len(values) else float("nan")
