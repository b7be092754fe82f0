"""The result as one self-contained HTML page; several subjects side by side."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path

from conformance.case import CASES
from conformance.runner import Outcome, Verdict

CHAPTERS = {
    "D": "Decoding and values",
    "J": "Jobs",
    "L": "Lifecycle and load",
    "M": "Multi-model",
    "O": "Output",
    "P": "Protocol and errors",
    "T": "Training",
}
CLASSES = {
    Verdict.PASS: "pass",
    Verdict.FAIL: "fail",
    Verdict.DIFFERS: "differs",
    Verdict.NOT_APPLICABLE: "none",
    Verdict.LATER: "later",
}
SHOWN = 12  # lines of what was seen
LONGEST = 420  # letters of one line


@dataclass(frozen=True)
class Column:
    """What one subject showed, by case."""

    subject: str
    outcomes: Mapping[str, Outcome]

    @property
    def counts(self) -> Counter[Verdict]:
        """Cases by result."""
        return Counter(outcome.verdict for outcome in self.outcomes.values())


def column(subject: str, outcomes: Sequence[Outcome]) -> Column:
    """The column of a run."""
    return Column(subject, {outcome.id: outcome for outcome in outcomes})


def read(path: Path) -> Column:
    """The column of a result that `--json` wrote."""
    value = json.loads(path.read_text(encoding="utf-8"))
    outcomes = [
        Outcome(
            item["id"],
            item["rule"],
            Verdict(item["result"]),
            item["seen"],
            item["notes"],
            item["seconds"],
        )
        for item in value["cases"]
    ]
    return column(value["subject"], outcomes)


def render(columns: Sequence[Column]) -> str:
    """The page."""
    numbers = sorted({number for one in columns for number in one.outcomes})
    rules = {o.id: o.rule for one in reversed(columns) for o in one.outcomes.values()}
    parts = [_head(columns), *map(_summary, columns), "</section>"]
    for letter, title in CHAPTERS.items():
        chosen = [number for number in numbers if number.startswith(letter)]
        if chosen:
            parts.append(_chapter(title, chosen, rules, columns))
    parts.append("</main></body></html>\n")
    return "\n".join(parts)


def _head(columns: Sequence[Column]) -> str:
    names = ", ".join(escape(one.subject) for one in columns)
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>Conformance: {names}</title><style>{STYLE}</style></head><body><main>"
        "<h1>Conformance with SageMaker's container contract</h1>"
        "<p>XGBoost itself is the oracle. <b>Fail</b>: a rule of the platform or an RFC is broken, "
        "a number is wrong, or a client's fault is answered with a 5xx. <b>Differs</b>: a choice "
        "is not followed that nothing outside fixes. Open a row to see what was seen.</p>"
        '<section class="subjects">'
    )


def _summary(one: Column) -> str:
    counts = one.counts
    total = sum(counts.values())
    bar = "".join(
        f'<i class="{CLASSES[verdict]}" style="flex:{counts[verdict]}"></i>'
        for verdict in Verdict
        if counts[verdict]
    )
    words = "".join(
        f'<span><i class="{CLASSES[verdict]}"></i>{counts[verdict]} {verdict.lower()}</span>'
        for verdict in Verdict
        if counts[verdict]
    )
    return (
        f'<div class="subject"><h2>{escape(one.subject)}</h2>'
        f'<div class="bar" role="img" aria-label="{counts[Verdict.PASS]} of {total} pass">{bar}'
        f'</div><p class="counts">{words}</p></div>'
    )


def _chapter(
    title: str, numbers: Sequence[str], rules: Mapping[str, str], columns: Sequence[Column]
) -> str:
    heads = "".join(f'<th class="result">{escape(_short(one.subject))}</th>' for one in columns)
    rows = "\n".join(_row(number, rules[number], columns) for number in numbers)
    return (
        f'<h2>{title}</h2><div class="wide"><table>'
        f"<thead><tr><th>Case</th><th>Rule</th>{heads}</tr></thead>"
        f"<tbody>{rows}</tbody></table></div>"
    )


def _short(subject: str) -> str:
    """The last word of a command line, without its folders."""
    return subject.rstrip("/").rpartition("/")[2].split()[-1]


def _row(number: str, rule: str, columns: Sequence[Column]) -> str:
    cells = "".join(_result(one.outcomes.get(number)) for one in columns)
    details = "".join(_details(one, number, len(columns) > 1) for one in columns)
    source = f'<p class="source">{escape(CASES[number].source)}</p>' if number in CASES else ""
    shown = (
        f"<details><summary>{escape(rule)}</summary>{source}{details}</details>"
        if details or source
        else escape(rule)
    )
    return f'<tr><td class="id">{number}</td><td>{shown}</td>{cells}</tr>'


def _result(outcome: Outcome | None) -> str:
    if outcome is None:
        return '<td class="result none">not put</td>'
    name = CLASSES[outcome.verdict]
    return f'<td class="result {name}"><b>{outcome.verdict.lower()}</b></td>'


def _details(one: Column, number: str, with_name: bool) -> str:
    outcome = one.outcomes.get(number)
    if outcome is None or not (outcome.seen or outcome.notes):
        return ""
    lines = [*outcome.seen[:SHOWN], *outcome.notes[:SHOWN]]
    more = len(outcome.seen) - SHOWN
    items = [f"<li>{escape(_printable(line[:LONGEST]))}</li>" for line in lines]
    if more > 0:
        items.append(f"<li>and {more} more</li>")
    name = f"<h3>{escape(_short(one.subject))}</h3>" if with_name else ""
    return f"{name}<ul>{''.join(items)}</ul>"


def _printable(text: str) -> str:
    return "".join(letter if letter.isprintable() else "?" for letter in text)


STYLE = """
:root { color-scheme: light dark; --ink: #1d2733; --soft: #5b6876; --line: #dfe4ea;
  --paper: #fff; --ground: #f6f7f9; --pass: #2e7d5b; --fail: #b3372f; --differs: #9a6a10;
  --none: #8793a0; --later: #b9c2cc; }
@media (prefers-color-scheme: dark) { :root { --ink: #e4e9ee; --soft: #9aa7b4; --line: #313b46;
  --paper: #1a2129; --ground: #12171d; --pass: #62b893; --fail: #e5807a; --differs: #d9aa55;
  --none: #7d8a97; --later: #465260; } }
* { box-sizing: border-box; }
body { margin: 0; background: var(--ground); color: var(--ink);
  font: 15px/1.5 system-ui, sans-serif; }
main { max-width: 1180px; margin: 0 auto; padding: 32px 24px 64px; }
h1 { font-size: 26px; margin: 0 0 8px; }
h2 { font-size: 18px; margin: 36px 0 8px; }
h3 { font-size: 13px; margin: 10px 0 2px; color: var(--soft); }
p { max-width: 76ch; color: var(--soft); margin: 0 0 16px; }
p b { color: var(--ink); }
.subjects { display: grid; grid-template-columns: repeat(auto-fit, minmax(320px, 1fr)); gap: 16px; }
.subject { background: var(--paper); border: 1px solid var(--line); border-radius: 8px;
  padding: 16px; min-width: 0; }
.subject h2 { margin: 0 0 10px; font: 600 14px/1.4 ui-monospace, monospace;
  overflow-wrap: anywhere; }
.bar { display: flex; gap: 2px; height: 12px; border-radius: 6px; overflow: hidden; }
.bar i { min-width: 3px; }
.counts { display: flex; flex-wrap: wrap; gap: 4px 16px; margin: 10px 0 0; font-size: 14px; }
.counts i { display: inline-block; width: 10px; height: 10px; border-radius: 3px;
  margin-right: 6px; }
i.pass { background: var(--pass); } i.fail { background: var(--fail); }
i.differs { background: var(--differs); } i.none { background: var(--none); }
i.later { background: var(--later); }
table { width: 100%; border-collapse: collapse; background: var(--paper);
  border: 1px solid var(--line); table-layout: fixed; }
th, td { text-align: left; vertical-align: top; padding: 7px 12px;
  border-top: 1px solid var(--line); overflow-wrap: anywhere; }
th { font-size: 13px; color: var(--soft); font-weight: 600; border-top: 0; }
th:first-child { width: 200px; }
th.result { width: 150px; }
td.id { font: 13px/1.7 ui-monospace, monospace; white-space: nowrap; }
td.result b { font-weight: 600; font-size: 14px; }
td.pass b { color: var(--pass); } td.fail b { color: var(--fail); }
td.differs b { color: var(--differs); } td.none, td.none b { color: var(--none); }
td.later b { color: var(--none); font-weight: 400; }
summary { cursor: pointer; padding-left: 18px; text-indent: -18px; }
details > .source { margin-left: 18px; }
.wide { overflow-x: auto; }
.wide table { min-width: 720px; }
details ul { margin: 4px 0 8px; padding-left: 18px; }
details li { font: 12.5px/1.5 ui-monospace, monospace; color: var(--soft); }
.source { font-size: 13px; margin: 4px 0; }
"""
