"""The end of `make run`: answers beside the truth, and what to do next."""

from __future__ import annotations

import shlex

from canarywood.errors import DataError
from canarywood.media import CSV, JSON
from canarywood.schema.definition import Schema
from ops import answers
from ops.client import Client, as_csv, as_json, curl
from ops.notes import short
from ops.plan import Home
from ops.project import FILE, Project
from ops.screen import BOLD, Screen
from ops.servers import Server


def show(project: Project, home: Home, server: Server, screen: Screen) -> None:
    """Post the sample rows, show the answers, say what can be done now."""
    schema = Schema.read(home.schema)
    samples = answers.read_sample(home.sample)
    if not samples:
        raise DataError(f"{home.sample} is empty: no test rows to ask about")
    names = schema.input_names
    client = Client(server.port)
    scores = client.scores(as_csv([sample.row for sample in samples], names))
    header, rows = answers.table(schema, samples, scores)
    screen.write()
    count = len(samples)
    screen.write(screen.paint(f"{count} test rows that the model has never seen:", BOLD))
    screen.table(header, rows)
    screen.write()
    screen.write(screen.paint("The first one again, as csv and as json:", BOLD))
    first = samples[0].row
    for body, kind in ((as_csv([first], names), CSV), (as_json(first, names), JSON)):
        screen.write(f"  {curl(server.url, body, kind, kind)}")
        screen.write(f"  {client.predict(body, kind, kind).strip()}")
    screen.write()
    for name, text in next_steps(project, home, server):
        screen.write(f"{screen.paint(f'{name:<11}', BOLD)}{text}")


def next_steps(project: Project, home: Home, server: Server) -> list[tuple[str, str]]:
    """What can be looked at and done now: names and what to type or open."""
    settings = short(project.folder / FILE)
    verb = "change" if "max_depth" in project.hyperparameters else "set"
    again = "" if settings == FILE else f" PROJECT={shlex.quote(short(project.folder))}"
    return [
        ("report", short(home.evaluation / "report.html")),
        ("logs", short(home.log("serve").parent)),
        ("the API", f"{server.url}/openapi.json"),
        ("try next", f"{verb} train.max_depth in {settings}, then: make run{again}"),
        *([("", "make run PROJECT=examples/telco")] if not again else []),
        ("stop", "make down"),
    ]
