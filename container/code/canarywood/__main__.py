"""`python -m canarywood <command>`: arguments and exit codes, nothing else.

Exit codes: 0 done; 1 the command failed (the reason is on stderr and in the file that SageMaker
reads); 2 a wrong call.
"""

from __future__ import annotations

import importlib
import logging
import os
import sys
import traceback
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import NoReturn

from canarywood.contract import Layout
from canarywood.errors import AlgorithmError, CanarywoodError

Command = Callable[[Layout], int]

COMMANDS = {
    "preprocess": "split a table, fit the schema on its training rows, check for leakage",
    "train": "train a booster on the channels of a training job",
    "evaluate": "score a model on test rows, write metrics and a report",
    "serve": "answer /ping and /invocations on port 8080",
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; returns the exit code."""
    words = sys.argv[1:] if arguments is None else list(arguments)
    if words in (["-h"], ["--help"]):
        sys.stdout.write(usage())
        return 0
    layout = Layout.from_environment()
    fault = _wrong_call(words, layout)
    if fault:
        sys.stderr.write(f"canarywood: {fault}\n{usage()}")
        _leave(layout, f"UserError: {fault}")
        return 2
    name = words[0]
    try:
        run: Command = importlib.import_module(f"canarywood.commands.{name}").run
        return run(layout)
    except CanarywoodError as error:
        return _fail(name, layout, f"{error.kind}: {error}")
    except Exception as error:  # noqa: BLE001 - the last door: every failure leaves a reason
        traceback.print_exc()
        return _fail(name, layout, f"{AlgorithmError.kind}: {type(error).__name__}: {error}")


def usage() -> str:
    """The help text."""
    width = max(map(len, COMMANDS))
    lines = [f"  {name:{width}}  {help_text}" for name, help_text in COMMANDS.items()]
    return "\n".join(["usage: python -m canarywood COMMAND", "", *lines, ""])


def _wrong_call(words: list[str], layout: Layout) -> str | None:
    """What is wrong with the arguments."""
    if len(words) != 1 or words[0] not in COMMANDS:
        return f"no command {' '.join(words)!r}; there are {', '.join(COMMANDS)}"
    if words[0] == "serve" and layout.processing_job_file.exists():
        # what a job gets that names no arguments, since the image's own command is `serve`
        return "a processing job cannot serve; set ContainerArguments to one command, such as " + (
            '["preprocess"] or ["evaluate"]'
        )
    return None


def _leave(layout: Layout, reason: str) -> None:
    """Leave the reason where the platform reads it, if this is a job of any kind."""
    with suppress(OSError):
        if layout.processing_job_file.exists():
            layout.write_message(reason)
        elif (layout.config / "hyperparameters.json").exists():
            layout.write_failure(reason)


def _fail(name: str, layout: Layout, reason: str) -> int:
    """Say why on stderr, and where SageMaker looks for it."""
    sys.stderr.write(f"canarywood {name}: {reason}\n")
    try:
        if name == "train":
            layout.write_failure(reason)
        elif name != "serve":
            layout.write_message(reason)
    except OSError as error:
        sys.stderr.write(f"canarywood {name}: the reason could not be written: {error}\n")
    return 1


def _leave_process(code: int) -> NoReturn:
    """End at once, with everything written.

    While the interpreter ends, a thread of Arrow's may abort the whole process ("terminate called
    without an active exception", exit 134; measured in 11 of 240 runs on a busy machine): a job
    that is done would count as failed.
    """
    logging.shutdown()
    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError):  # nobody listens any more
            stream.flush()
    os._exit(code)


if __name__ == "__main__":
    _leave_process(main())
