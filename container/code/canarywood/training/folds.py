"""Which rows are held out when: the splits of a cross-validation. numpy only.

random      any row
stratified  any row, each fold with the shares of the classes
group       all rows of a group together
time        each fold behind all rows that it is predicted from
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from canarywood.errors import DataError
from canarywood.training.rows import Rows

Positions = NDArray[np.intp]


@dataclass(frozen=True)
class Folds:
    """How rows are split.

    Attributes:
        count: folds of one round.
        rounds: how often all rows are split anew.
        by: group, time, or rows; rows are stratified where labels are classes.
    """

    count: int
    rounds: int = 1
    by: str = "rows"
    seed: int = 0

    def split(self, rows: Rows, *, classes: bool) -> Iterator[tuple[Positions, Positions]]:
        """Pairs of positions, (to train on, held out), `count` for each round.

        Raises:
            DataError: fewer rows, groups or times than folds.
        """
        for round_ in range(self.rounds):
            if self.by == "time":
                yield from self._behind_each_other(rows)
                continue
            random = np.random.default_rng([abs(self.seed), round_])
            fold = self._fold_of(rows, random, classes=classes)
            for number in range(self.count):
                yield np.flatnonzero(fold != number), np.flatnonzero(fold == number)

    def _fold_of(self, rows: Rows, random: np.random.Generator, *, classes: bool) -> Positions:
        """The fold of each row."""
        if self.by == "group" or rows.fold_key is not None:
            if rows.fold_key is None:
                raise DataError("there is no column to split by")
            return self._of_groups(rows, random)
        self._enough(len(rows), "rows")
        order = random.permutation(len(rows))
        if classes:  # the same classes behind each other, shuffled within
            order = order[np.argsort(rows.labels[order], kind="stable")]
        fold = np.empty(len(rows), dtype=np.intp)
        fold[order] = np.arange(len(rows)) % self.count
        return fold

    def _of_groups(self, rows: Rows, random: np.random.Generator) -> Positions:
        """The largest group first, each to the fold that has the fewest rows."""
        keys = np.asarray(rows.fold_key)
        _, group, sizes = np.unique(keys, return_inverse=True, return_counts=True)
        self._enough(len(sizes), "groups")
        fold_of_group = np.empty(len(sizes), dtype=np.intp)
        filled = np.zeros(self.count)
        shuffled = random.permutation(len(sizes))
        for number in shuffled[np.argsort(-sizes[shuffled], kind="stable")]:
            fold_of_group[number] = np.argmin(filled)
            filled[fold_of_group[number]] += sizes[number]
        return np.asarray(fold_of_group[group])

    def _behind_each_other(self, rows: Rows) -> Iterator[tuple[Positions, Positions]]:
        """One block more than folds, in order of time; the first is never held out."""
        if rows.fold_key is None:
            raise DataError("there is no column of times to split by")
        order = np.argsort(rows.fold_key, kind="stable")
        times = rows.fold_key[order]
        self._enough(len(np.unique(times)) - 1, "times behind the first")
        wanted = np.arange(1, self.count + 1) * len(rows) // (self.count + 1)
        # rows of one time are not parted
        starts = [int(np.searchsorted(times, times[place], side="left")) for place in wanted]
        if starts[0] == 0 or len(set(starts)) < len(starts):
            raise DataError(
                f"too many rows are of the same time to make {self.count} folds; use fewer folds"
            )
        for start, end in zip(starts, [*starts[1:], len(rows)], strict=True):
            yield np.sort(order[:start]), np.sort(order[start:end])

    def _enough(self, there: int, what: str) -> None:
        if there < self.count:
            raise DataError(f"{self.count} folds need at least as many {what}; there are {there}")
