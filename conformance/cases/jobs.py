"""J: what batch transform asks."""

from __future__ import annotations

from conformance.bodies import UnreadableError, strict_json
from conformance.case import case
from conformance.trial import Trial


@case("J-04", source="AWS, Custom inference code with batch transform (optional)")
def execution_parameters(trial: Trial) -> None:
    """/execution-parameters tells slots and payload, their product at most 100 MB."""
    answer = trial.get("/execution-parameters")
    trial.must(answer.status < 500, f"200 expected: {answer}")
    if not trial.should(answer.status == 200, f"200 expected: {answer}"):
        return
    try:
        value = strict_json(answer.text)
        slots, payload = int(value["MaxConcurrentTransforms"]), int(value["MaxPayloadInMB"])
        strategy = value["BatchStrategy"]
    except (UnreadableError, KeyError, TypeError, ValueError):
        trial.must(False, f"the three parameters expected: {answer}")
        return
    trial.must(slots >= 1 and 0 <= payload <= 100, f"out of range: {answer}")
    trial.must(slots * payload <= 100, f"{slots} x {payload} MB are more than 100: {answer}")
    trial.must(strategy in ("SINGLE_RECORD", "MULTI_RECORD"), f"BatchStrategy: {answer}")
