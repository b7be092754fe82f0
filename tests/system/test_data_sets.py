"""The three examples as processes: every answer is XGBoost's own, bit for bit."""

from __future__ import annotations

from pathlib import Path

import pytest

from ops.runtime import ProcessRuntime
from tests.system.examples import EXAMPLES, ROOT, walk

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("place", EXAMPLES, ids=list(EXAMPLES.values()))
def test_every_answer_is_xgboosts_own(place: str, tmp_path: Path) -> None:
    walk(place, ProcessRuntime(ROOT), tmp_path)
