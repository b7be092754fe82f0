"""`python -m conformance`: arguments, and what to print."""

from __future__ import annotations

import argparse
import shlex
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

import conformance.cases  # noqa: F401 - registers the cases
from conformance import page, report
from conformance.case import CASES, Case, is_chosen
from conformance.fuzzing import Fuzzer
from conformance.given import Given, build, from_folder
from conformance.image import Image
from conformance.process import Process
from conformance.runner import Outcome, run
from conformance.subject import Needs, Subject
from conformance.trial import START_S, Servers
from conformance.url import Url

ROOT = Path(__file__).resolve().parent.parent


def parser() -> argparse.ArgumentParser:
    """The command line."""
    result = argparse.ArgumentParser(
        prog="python -m conformance",
        description="Drive an image or a server through SageMaker's contract.",
    )
    what = result.add_argument_group("what is examined (one of them)")
    what = what.add_mutually_exclusive_group(required=True)
    what.add_argument("--process", action="store_true", help="a command, run as processes")
    what.add_argument("--image", metavar="NAME", help="a Docker image")
    what.add_argument("--url", help="a running server that serves the given model G1")
    what.add_argument("--make-model", metavar="FOLDER", type=Path, help="write G1 and end")
    what.add_argument("--list", action="store_true", help="list all cases and end")
    what.add_argument("--document", action="store_true", help="print the reference page and end")
    how = result.add_argument_group("how it is driven")
    how.add_argument(
        "--command",
        help="of --process: what stands before serve and train "
        "(default: python -m canarywood of this repository)",
    )
    how.add_argument(
        "--env",
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="environment of the subject, repeatable",
    )
    how.add_argument(
        "--port",
        type=int,
        help="of --process: port of a server that does not know SAGEMAKER_BIND_TO_PORT",
    )
    how.add_argument(
        "--network",
        choices=["publish", "host"],
        default="publish",
        help="of --image: publish a loopback port, or use the host's network",
    )
    how.add_argument("--serve-only", action="store_true", help="the subject cannot train")
    how.add_argument(
        "--model",
        metavar="FOLDER",
        type=Path,
        help="of --url: the model that the server serves, instead of G1",
    )
    how.add_argument(
        "--start-timeout",
        type=float,
        default=START_S,
        metavar="S",
        help="seconds until a server must be ready",
    )
    which = result.add_argument_group("which cases, and the result")
    which.add_argument("--only", default="", metavar="D-04,P-*", help="these cases only")
    which.add_argument("--strict", action="store_true", help="a difference is a failure")
    which.add_argument("--json", type=Path, metavar="FILE", help="write the result there too")
    which.add_argument("--html", type=Path, metavar="FILE", help="write the result as a page")
    which.add_argument(
        "--compare",
        type=Path,
        action="append",
        default=[],
        metavar="FILE",
        help="of --html: a result of --json to show beside this one, repeatable",
    )
    _add_fuzz(result)
    return result


def _add_fuzz(result: argparse.ArgumentParser) -> None:
    fuzz = result.add_argument_group("instead of the cases, mutated requests")
    fuzz.add_argument("--fuzz", type=float, metavar="SECONDS", help="for so long")
    fuzz.add_argument("--executions", type=int, metavar="N", help="so many, or until SECONDS")
    fuzz.add_argument("--seed", type=int, default=0, help="the same seed sends the same requests")
    fuzz.add_argument(
        "--findings",
        type=Path,
        default=Path("fuzz-findings"),
        metavar="FOLDER",
        help="where requests go that break a rule (default: fuzz-findings)",
    )


def main(arguments: Sequence[str] | None = None) -> int:
    """Exit code: 0 no case fails, 1 some do, 2 wrong call."""
    options = parser().parse_args(arguments)
    if options.make_model:
        build("G1").write(options.make_model)
        print(f"G1 is in {options.make_model}: load it, then run --url")
        return 0
    if options.list or options.document:
        cases = _ordered()
        print(report.catalogue(cases) if options.list else report.page(cases).rstrip("\n"))
        return 0
    if options.fuzz is not None or options.executions is not None:
        return _fuzz(subject(options), options)
    patterns = [pattern for pattern in options.only.split(",") if pattern]
    cases = [case for case in _ordered() if is_chosen(case.id, patterns)]
    if not cases:
        print(f"no case is named {options.only}; --list shows them all", file=sys.stderr)
        return 2
    return _examine(subject(options), cases, options)


def _ordered() -> list[Case]:
    return [CASES[number] for number in sorted(CASES)]


def subject(options: argparse.Namespace) -> Subject:
    """What the options ask to examine."""
    environment = dict(pair.split("=", 1) for pair in options.env)
    trains = not options.serve_only
    if options.image:
        return Image(options.image, environment, network=options.network, trains=trains)
    if options.url:
        return Url(options.url)
    if options.command:
        return Process(shlex.split(options.command), environment, port=options.port, trains=trains)
    environment = {
        "PYTHONPATH": str(ROOT / "container" / "code"),
        "CANARYWOOD_BIND_ADDRESS": "127.0.0.1",
        **environment,
    }
    command = [sys.executable, "-m", "canarywood"]
    return Process(command, environment, port=options.port, trains=trains)


def _examine(what: Subject, cases: list[Case], options: argparse.Namespace) -> int:
    """Run the cases, show the table as it grows, and the sum below it."""
    model: Given | None = from_folder(options.model) if options.model else None

    def show(outcome: Outcome) -> None:
        print(report.line(outcome), flush=True)

    outcomes = run(what, cases, model=model, start_s=options.start_timeout, progress=show)
    patterns = [pattern for pattern in options.only.split(",") if pattern]
    waiting = [outcome for outcome in report.later() if is_chosen(outcome.id, patterns)]
    for outcome in waiting:
        show(outcome)
    everything = [*outcomes, *waiting]
    print(report.summary(what.name, everything))
    if options.json:
        text = report.as_json(what.name, everything, strict=options.strict)
        options.json.write_text(text, encoding="utf-8")
    if options.html:
        columns = [page.column(what.name, everything), *map(page.read, options.compare)]
        options.html.write_text(page.render(columns), encoding="utf-8")
    return 0 if report.is_passed(outcomes, strict=options.strict) else 1


def _fuzz(what: Subject, options: argparse.Namespace) -> int:
    """Mutated requests for as long as told; 0 where none broke a rule."""
    model: Given | None = from_folder(options.model) if options.model else None
    with tempfile.TemporaryDirectory(prefix="conformance-", ignore_cleanup_errors=True) as name:
        scratch = Path(name)
        scratch.chmod(0o755)
        servers = Servers(what, scratch, model, options.start_timeout)
        try:
            given = servers.given("named" if Needs.START in what.offers else "G1")
            fuzzer = Fuzzer(
                servers.shared(given),
                given,
                seed=options.seed,
                seconds=options.fuzz,
                executions=options.executions,
                findings=options.findings,
            )
            found = fuzzer.run(progress=lambda text: print(text, flush=True))
        finally:
            servers.close()
    print(f"{what.name}: {found}")
    return 1 if found.faults else 0


if __name__ == "__main__":
    sys.exit(main())
