"""D: how bodies are decoded, and the values that come out."""

from __future__ import annotations

import json

import numpy as np

from conformance.bodies import JSON, cells, csv, instances, records
from conformance.case import case
from conformance.given import Floats
from conformance.subject import Needs
from conformance.training import make_job, train
from conformance.trial import Refusal, Trial, is_close

RFC_CSV = "RFC 4180, 2"
RFC_TYPE = "RFC 9110, 8.3.1"
COMMON = "AWS, Common data formats for inference"
MISSING = "XGBoost, FAQ: missing values"


def _with_cell(rows: Floats, row: int, column: int, text: str, *, blank: float) -> bytes:
    """CSV with one cell replaced; `row` and `column` from 1."""
    changed = rows.copy()
    changed[row - 1, column - 1] = blank
    table = cells(changed)
    table[row - 1][column - 1] = text
    return "".join(",".join(line) + "\n" for line in table).encode()


def _replaced(rows: Floats, row: int, column: int, value: float) -> Floats:
    changed = rows.copy()
    changed[row - 1, column - 1] = value
    return changed


@case("D-04")
def too_few_cells(trial: Trial) -> None:
    """A row with fewer cells than features is refused, and both widths are named."""
    given = trial.given
    for width in (3, given.width - 1):
        names = (str(given.width), str(width))
        answer = trial.post(csv(given.rows[:2, :width]))
        trial.refuses(answer, Refusal(422, "feature_count", mentions=names))


@case("D-05")
def too_many_cells(trial: Trial) -> None:
    """A row with more cells than features is refused, without a library's text."""
    given = trial.given
    wide = np.hstack([given.rows[:2], given.rows[:2, :1]])
    names = (str(given.width), str(given.width + 1))
    trial.refuses(trial.post(csv(wide)), Refusal(422, "feature_count", mentions=names))


@case("D-06", source=RFC_CSV)
def ragged_rows(trial: Trial) -> None:
    """Rows of unequal width are refused, though their cells add up."""
    given = trial.given
    rows = cells(given.rows[:3])
    rows[2].append(rows[1].pop())  # widths n, n - 1, n + 1
    body = "".join(",".join(row) + "\n" for row in rows).encode()
    trial.refuses(trial.post(body), Refusal(400, "ragged", row=2))


@case("D-10", given="named")
def header(trial: Trial) -> None:
    """A header names the columns: any order, and no unknown name."""
    given = trial.given
    rows = given.rows[:3]
    expected = given.predict(rows)
    line = (",".join(given.names) + "\n").encode()
    trial.answers(trial.post(line + csv(rows)), expected, optional=True)
    order = np.random.default_rng(0).permutation(given.width)
    line = (",".join(given.names[i] for i in order) + "\n").encode()
    trial.answers(trial.post(line + csv(rows[:, order])), expected, optional=True)
    line = (",".join(["unheard_of", *given.names[1:]]) + "\n").encode()
    answer = trial.post(line + csv(rows))
    without = rows.copy()
    without[:, 0] = np.nan
    rule = Refusal(422, "unknown_feature", mentions=("unheard_of",))
    trial.refuses(answer, rule, lenient=given.predict(without))


@case("D-11", source=MISSING)
def empty_cells(trial: Trial) -> None:
    """An empty cell is a missing value, wherever it stands."""
    rows = trial.given.rows[:4].copy()
    rows[0, 0] = rows[1, 4] = rows[2, -1] = np.nan
    rows[3, 1:4] = np.nan
    trial.answers(trial.post(csv(rows)), trial.given.predict(rows))


@case("D-11.tokens")
def missing_tokens(trial: Trial) -> None:
    """NA, N/A, null, None and nan are missing values."""
    rows = trial.given.rows[:2]
    expected = trial.given.predict(_replaced(rows, 2, 3, np.nan))
    for token in ("NA", "N/A", "null", "None", "nan", "NaN"):
        body = _with_cell(rows, 2, 3, token, blank=np.nan)
        trial.answers(trial.post(body), expected, optional=True)


@case("D-12", source=RFC_CSV)
def csv_spellings(trial: Trial) -> None:
    """CRLF, quoted cells and a missing last newline change nothing."""
    rows = trial.given.rows[:3]
    expected = trial.given.predict(rows)
    quoted = "".join(",".join(f'"{cell}"' for cell in row) + "\n" for row in cells(rows))
    for body in (csv(rows, end="\r\n"), quoted.encode(), csv(rows).rstrip(b"\n")):
        trial.answers(trial.post(body), expected)


@case("D-12.loose")
def loose_csv(trial: Trial) -> None:
    """A byte order mark, blanks around cells and newlines at the end are ignored."""
    rows = trial.given.rows[:3]
    expected = trial.given.predict(rows)
    plain = csv(rows)
    for body in (b"\xef\xbb\xbf" + plain, csv(rows, separator=" , "), plain + b"\n\r\n\n"):
        trial.answers(trial.post(body), expected, optional=True)


@case(
    "D-13",
    source=f"{RFC_TYPE}; {COMMON}",
)
def type_parameters(trial: Trial) -> None:
    """Parameters and capitals of a Content-Type do not change the type."""
    rows = trial.given.rows[:2]
    for kind in ("text/csv;label_size=0", "text/csv; charset=utf-8", "Text/CSV"):
        trial.answers(trial.post(csv(rows), kind), trial.given.predict(rows))


@case("D-14")
def blank_row(trial: Trial) -> None:
    """A blank line between rows is refused, since answers are matched by line."""
    given = trial.given
    body = csv(given.rows[:1]) + b"\n" + csv(given.rows[1:2])
    lenient = given.predict(given.rows[:2])
    trial.refuses(trial.post(body), Refusal(400, "blank_row", row=2), lenient=lenient)


@case("D-14.encoding")
def not_utf8(trial: Trial) -> None:
    """Bytes that are not UTF-8 are refused."""
    body = _with_cell(trial.given.rows[:2], 2, 1, "@", blank=0).replace(b"@", b"\xff\xfe1")
    trial.refuses(trial.post(body), Refusal(400, "encoding"))


@case("D-15")
def not_a_number(trial: Trial) -> None:
    """Text that is no decimal number is refused with its row and column."""
    given = trial.given
    rows = given.rows[:3]
    for token, lenient in (("1_000", 1000), ("\uff17", 7), ("0x10", 16), ("abc", None)):
        body = _with_cell(rows, 2, 3, token, blank=0)
        taken = None if lenient is None else given.predict(_replaced(rows, 2, 3, lenient))
        answer = trial.post(body)
        trial.refuses(answer, Refusal(400, "number", row=2), lenient=taken)
        if answer.status == 400 and answer.problem:
            column = answer.problem.get("column")
            trial.should(column in (3, "3", "f2"), f"column 3 expected: {answer}")


@case("D-16")
def infinite_cells(trial: Trial) -> None:
    """Infinity, written or by overflow of float32, is refused."""
    given = trial.given
    rows = given.rows[:2]
    for token in ("inf", "-Infinity", "1e39", "1e400"):
        sign = -1 if token.startswith("-") else 1
        taken = given.predict_infinite(_replaced(rows, 2, 4, sign * np.inf))
        answer = trial.post(_with_cell(rows, 2, 4, token, blank=0))
        trial.refuses(answer, Refusal(422, "non_finite", row=2), lenient=taken)


@case("D-16.json")
def infinite_json(trial: Trial) -> None:
    """Infinity by overflow of float32 is refused in JSON too."""
    given = trial.given
    rows = given.rows[:2]
    body = instances(_replaced(rows, 2, 4, 1234.0)).replace(b"1234.0", b"1e39")
    taken = given.predict_infinite(_replaced(rows, 2, 4, np.inf))
    trial.refuses(trial.post(body, JSON), Refusal(422, "non_finite", row=2), lenient=taken)


@case(
    "D-16.training",
    needs=Needs.TRAIN,
)
def infinite_training(trial: Trial) -> None:
    """Infinity in a training file ends the job, as it is refused when serving."""
    for token in ("inf", "1e39"):
        job = make_job(trial.folder(token), {"num_round": "3"})
        path = job.channel("train") / "data.csv"
        path.write_bytes(path.read_bytes() + f"1,0,0,{token},0\n".encode())
        result = train(trial, job)
        trial.should(result.code not in (0, None), f"{token} was trained on, exit {result.code}")
        trial.should(result.failure, f"no failure file for {token}")


@case("D-17")
def separators(trial: Trial) -> None:
    """Semicolon, tab and bar separate cells where there is no comma."""
    rows = trial.given.rows[:3]
    for separator in (";", "\t", "|"):
        answer = trial.post(csv(rows, separator))
        trial.answers(answer, trial.given.predict(rows), optional=True)


@case(
    "D-18",
    given="categorical",
    source="XGBoost, Categorical data",
)
def categories(trial: Trial) -> None:
    """Codes of a categorical feature are honoured; an unseen one is refused or as in XGBoost."""
    given = trial.given
    known = given.rows[:16].copy()
    known[3, 0] = np.nan
    trial.answers(trial.post(csv(known)), given.predict(known))
    trial.answers(trial.post(instances(known), JSON), given.predict(known), optional=True)
    for code in (99.0, -3.0):
        rows = _replaced(given.rows[:2], 2, 1, code)
        answer = trial.post(csv(rows))
        if answer.status == 200:
            trial.answers(answer, given.predict(rows))
        else:
            trial.must(400 <= answer.status < 500, f"200 or 4xx expected: {answer}")
            trial.is_problem(answer)


@case("D-19", given="named")
def rows_by_name(trial: Trial) -> None:
    """JSON rows by name: any order; an absent key is missing; an extra key is refused."""
    given = trial.given
    rows = given.rows[:2]

    def post(items: list[dict[str, object]]) -> bytes:
        return json.dumps({"instances": items}).encode()

    plain = records(rows, given.names)
    turned = [dict(reversed(item.items())) for item in plain]
    for items in (plain, turned):
        trial.answers(trial.post(post(items), JSON), given.predict(rows), optional=True)
    absent = [{name: value for name, value in item.items() if name != "day"} for item in plain]
    without = rows.copy()
    without[:, given.names.index("day")] = np.nan
    trial.answers(trial.post(post(absent), JSON), given.predict(without), optional=True)
    extra = [plain[0], {**plain[1], "unheard_of": 1.0}]
    rule = Refusal(422, "unknown_feature", row=2, mentions=("unheard_of",))
    trial.refuses(trial.post(post(extra), JSON), rule, lenient=given.predict(rows))


@case(
    "D-23",
    given="early_stopped",
    source="XGBoost, Python introduction: early stopping",
)
def best_iteration(trial: Trial) -> None:
    """An early-stopped model answers with its best iteration."""
    given = trial.given
    answer = trial.post(csv(given.rows))
    rounds = given.booster.num_boosted_rounds()
    if answer.status == 200 and is_close(answer, given.predict(given.rows, rounds)):
        trial.should(False, f"all {rounds} rounds were used, the best are {given.trees}")
    else:
        trial.answers(answer, given.predict(given.rows))
