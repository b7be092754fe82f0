"""The report page: self-contained, small, escaped, and right in what it says in words."""

from __future__ import annotations

import re
from dataclasses import replace
from html.parser import HTMLParser

import numpy as np
import pytest

from canarywood.evaluation.columns import ColumnFacts
from canarywood.evaluation.evaluation import Evaluation, measured, scored
from canarywood.evaluation.importance import Importance
from canarywood.evaluation.page import contents, render
from canarywood.evaluation.slices import slices
from canarywood.evaluation.verdict import outcome, verdict
from canarywood.schema.definition import Column, Target

HOSTILE = '<script>alert("1")</script>'
LATE = Target("arr_delay", "binary", above=15, classes=("on time", "late"))
KINDS = Target("kind", "multiclass", classes=("a", "b", HOSTILE))
RINGS = Target("rings", "regression")


def evaluation(target: Target, truth, scores, **further) -> Evaluation:
    found = scored(target, np.asarray(truth, float), np.asarray(scores, float))
    weights = np.ones(found.rows)
    values, deviations = measured(found, weights)
    given = {
        "name": "flights",
        "target": target,
        "scored": found,
        "weights": weights,
        "is_weighted": False,
        "values": values,
        "deviations": deviations,
        "created": "2013-05-01T06:00:00Z",
    }
    return Evaluation(**{**given, **further})


def binary(rows: int = 400, target: Target = LATE, **further) -> Evaluation:
    generator = np.random.default_rng(0)
    truth = (generator.random(rows) < 0.25).astype(float)
    return evaluation(
        target, truth, np.clip(generator.normal(0.2 + 0.2 * truth, 0.1), 0, 1), **further
    )


def multiclass() -> Evaluation:
    generator = np.random.default_rng(0)
    truth = generator.integers(0, 3, 300)
    raw = generator.random((300, 3)) + np.eye(3)[truth]
    return evaluation(KINDS, truth, raw / raw.sum(axis=1, keepdims=True))


def regression() -> Evaluation:
    generator = np.random.default_rng(0)
    truth = generator.integers(1, 20, 300)
    return evaluation(RINGS, truth, truth + generator.normal(0, 2, 300))


class Page(HTMLParser):
    """Tags, attributes and text of a page; fails on tags that do not nest."""

    VOID = frozenset({"meta", "br", "line", "rect", "circle", "path"})

    def __init__(self, html: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[str] = []
        self.references: list[str] = []
        self.text = ""
        self.feed(html)
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.references += [value for name, value in attrs if name in {"src", "href", "data"}]
        assert not [name for name, _ in attrs if name.startswith("on")]
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, _attributes):
        self.tags.append(tag)

    def handle_endtag(self, tag):
        if tag not in self.VOID:
            assert self.open.pop() == tag

    def handle_data(self, data):
        self.text += data


@pytest.mark.parametrize("make", [binary, multiclass, regression])
def test_a_page_needs_nothing_from_outside(make):
    html = render(make())
    page = Page(html)
    assert page.references == []
    assert "script" not in page.tags
    assert "link" not in page.tags
    assert not re.search(r"url\(|@import|https?:", html)
    assert len(html.encode()) < 300_000
    assert "svg" in page.tags


@pytest.mark.parametrize(
    "hostile",
    [
        {"name": HOSTILE},
        {"target": Target(HOSTILE, "binary", classes=("x", HOSTILE))},
        {"warnings": (HOSTILE,)},
        {"importances": (Importance(HOSTILE, 0.5, 0.1),)},
        {"model": {"objective": HOSTILE, "hyperparameters": {HOSTILE: HOSTILE}}},
        {
            "columns": (
                ColumnFacts(Column(HOSTILE, "category", (HOSTILE,)), True, 0.1, None, unknown=3),
            )
        },
    ],
)
def test_text_of_the_data_is_escaped_wherever_it_stands(hostile):
    html = render(replace(binary(), **hostile))
    assert "<script" not in html
    assert "&lt;script&gt;" in html
    assert HOSTILE in Page(html).text


def test_hostile_categories_of_a_slice_are_escaped():
    found = binary()
    parts = slices(found.scored, found.weights, [HOSTILE] * 200 + ["b"] * 200, "auc")
    html = render(replace(found, slices={HOSTILE: parts}))
    assert "<script" not in html
    assert "&lt;script&gt;" in html


def test_many_classes_columns_and_long_names_keep_the_page_small():
    generator = np.random.default_rng(0)
    names = tuple(f"{'x' * 300}{i}" for i in range(60))
    truth = generator.integers(0, 60, 3000)
    found = evaluation(Target("y", "multiclass", classes=names), truth, np.eye(60)[truth])
    column = ColumnFacts(Column("c", "category", names), True, 0.0, None, unknown=0)
    html = render(replace(found, columns=(column,) * 200))
    assert len(html.encode()) < 300_000


def test_the_headline_counts_rows_in_plain_words():
    truth = np.array([1] * 100 + [0] * 900)
    scores = np.where(truth == 1, 0.9, 0.1)
    found = verdict(evaluation(LATE, truth, scores))
    assert found.headline == (
        "Of 1,000 rows, 100 are “late”. Among the 100 that the model scores highest, 100 are; "
        "among 100 picked at random it would be 10."
    )
    assert "100% of cases (AUC 1.000" in found.sentences[0]
    assert "check that no column gives the target away" in found.sentences[0]


def test_probabilities_that_hold_are_told_from_those_that_do_not():
    truth = np.array([1] * 300 + [0] * 700)
    held = verdict(evaluation(LATE, truth, np.where(truth == 1, 0.31, 0.3)))
    assert (
        held.sentences[1]
        == "On average it says 30% and 30% came: its probabilities hold on average."
    )
    low = verdict(evaluation(LATE, truth, np.where(truth == 1, 0.11, 0.1)))
    assert low.sentences[1].endswith("its probabilities are too low on these rows.")


def test_one_class_is_said_and_not_ranked():
    found = evaluation(LATE, np.zeros(300), np.full(300, 0.2))
    assert verdict(found).headline == "The 300 test rows hold one class only: 0% are “late”."
    html = render(found)
    assert "nan" not in Page(html).text
    assert "ROC curve" not in html


def test_the_regression_headline_compares_with_the_median():
    found = verdict(evaluation(RINGS, [1, 2, 3, 10], [2, 2, 3, 8]))
    assert found.headline == (
        "A prediction of rings is off by 0.750 on average. "
        "Always answering the median would be off by 2.50."
    )


def test_the_multiclass_headline_names_the_largest_class():
    found = verdict(evaluation(KINDS, [0, 0, 0, 1], [0, 0, 0, 0]))
    assert found.headline == (
        "Of 1,000 rows the model names the right class of 750. "
        "Always answering “a” would be right for 750."
    )
    assert "Missed most often is “b”: 0% of its 1 rows" in found.sentences[0]


@pytest.mark.parametrize(
    ("classes", "shown"), [(("No", "Yes"), "y = Yes"), (("0", "1"), "y = 1"), (("a", "b"), "b")]
)
def test_a_bare_class_is_shown_with_its_column(classes, shown):
    assert outcome(Target("y", "binary", classes=classes)) == shown


def test_notes_name_what_differs_from_training():
    columns = (
        ColumnFacts(Column("dest", "category", ("a",)), True, 0.0, None, unknown=9),
        ColumnFacts(Column("temp", low=0.0, high=1.0), True, 0.0, 0.4, unknown=0),
        ColumnFacts(Column("hour", low=0.0, high=1.0), True, 0.0, 0.01, unknown=0),
    )
    text = Page(render(replace(binary(100), columns=columns))).text
    assert "dest: 9 rows (9%) hold a category that training never saw" in text
    assert "outside the range of training in: temp." in text
    assert "There are only 100 test rows" in text


@pytest.mark.parametrize("rows", [1, 2, 3])
@pytest.mark.parametrize("target", [LATE, KINDS, RINGS])
def test_a_few_rows_make_a_page(rows, target):
    labels_only = evaluation(target, [0, 1, 0][:rows], [0, 1, 1][:rows])
    assert Page(render(labels_only)).text.count("Evaluation of") == 1


def test_the_report_of_a_binary_model_has_its_curves_and_matrix():
    report = evaluation(LATE, [0, 0, 1, 1], [0.1, 0.4, 0.35, 0.8]).report()
    metrics = report["binary_classification_metrics"]
    assert metrics["confusion_matrix"] == {"0": {"0": 2, "1": 0}, "1": {"0": 1, "1": 1}}
    assert metrics["receiver_operating_characteristic_curve"] == {
        "false_positive_rates": [0.0, 0.0, 0.5, 0.5, 1.0],
        "true_positive_rates": [0.0, 0.5, 0.5, 1.0, 1.0],
    }
    assert metrics["precision_recall_curve"] == {
        "precisions": [1.0, 1.0, 0.5, 2 / 3, 0.5],
        "recalls": [0.0, 0.5, 0.5, 1.0, 1.0],
    }
    assert metrics["auc"] == {"value": 0.75, "standard_deviation": "NaN"}
    assert report["classes"] == ["on time", "late"]
    assert report["dataset"]["item_count"] == 4


@pytest.mark.parametrize(
    ("column", "shown"),
    [
        (Column("year", low=2013.0, high=2013.0), "2013 to 2013"),
        (Column("pay", low=-0.5, high=12000.0), "\N{MINUS SIGN}0.500 to 12,000"),
        (Column("c", "category", tuple("abcdefghij")), "a, b, c, d, e, f, g, h and 2 more"),
        (Column("t", "time"), ""),
    ],
)
def test_what_a_column_held_fits_in_one_line(column, shown):
    assert contents(ColumnFacts(column, True, 0.0, None, unknown=0)) == shown
