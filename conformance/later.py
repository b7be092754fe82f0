"""Cases of the contract that the suite does not run yet, each with the reason."""

from __future__ import annotations

_MULTI = "multi-model endpoints are not there yet"
_LAMBDA = "the Lambda image is not there yet"
_MEASURE = "a measurement for the benchmark, not a yes or no"

LATER: dict[str, tuple[str, str]] = {
    "D-22": ("A model behind a preprocessor answers raw rows", "needs an artifact of ours"),
    "P-04": ("Clients' faults are 4xx in multi-model mode too", _MULTI),
    "P-08": ("25 MB, 100 MB and 1 GB with a raised limit", "needs minutes and memory"),
    "P-14.files": ("No body is written to a file on disk", "not visible from outside"),
    "L-07": ("/ping is 503 when unhealthy", "no generic way to make a server unhealthy"),
    "L-09": ("One CPU of a larger host: one worker, one thread", "needs a cgroup per case"),
    "L-10": ("A model loaded before the fork answers in every worker", "covered by L-06 so far"),
    "L-13": ("150 s of steady load add at most 10 MB", _MEASURE),
    "L-16": ("CPU of a one-row request", _MEASURE),
    **{f"M-0{number}": ("Multi-model endpoints", _MULTI) for number in range(1, 8)},
    "T-13": ("Two hosts train one model", "several hosts are not there yet"),
    "T-14": ("Two hosts do not overwrite each other", "several hosts are not there yet"),
    "J-01": (
        "An archive cannot write outside its folder",
        "SageMaker fixes no such command: what unpacks an archive is each image's own",
    ),
    "J-02": (
        "Pickles are refused by evaluate",
        "SageMaker fixes no such command: what unpacks an archive is each image's own",
    ),
    "J-03": ("The exit message is valid UTF-8 after the cut", "processing is not driven yet"),
    **{f"J-0{number}": ("Lambda events and answers", _LAMBDA) for number in range(5, 10)},
    "J-10": ("A model of noise does not pass the gate", "gates are not there yet"),
}
