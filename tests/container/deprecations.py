"""What a newer XGBoost says of things that the tests use nevertheless."""

from __future__ import annotations

import pytest

# From 3.4 on, dart (once a process) and gblinear (whenever it is set up); not a word before.
of_boosters = pytest.mark.filterwarnings(
    "ignore:.*`booster=(dart|gblinear)` is deprecated:UserWarning"
)
