"""How many rows one request may hold. Standard library only."""

from __future__ import annotations

from dataclasses import dataclass

from canarywood.errors import TooLargeError


@dataclass(frozen=True)
class RowLimits:
    """What one body may hold.

    Attributes:
        rows: of a body.
        cells: rows times columns.
        width: columns of a row.
    """

    rows: int
    cells: int
    width: int

    def check(self, rows: int) -> None:
        """Raise TooLargeError `too_many_rows` or `too_many_cells` where there are too many."""
        if rows > self.rows:
            raise TooLargeError(
                f"the body has more than {self.rows} rows; send fewer", code="too_many_rows"
            )
        if rows * self.width > self.cells:
            check_cells(rows, self.width, self.cells)


def check_cells(rows: int, width: int, cells: int) -> None:
    """Raise TooLargeError `too_many_cells` where rows of this width are more than so many."""
    if rows * width > cells:
        raise TooLargeError(
            f"{rows} rows of {width} values are more than {cells} cells; send fewer rows",
            code="too_many_cells",
        )
