"""What the operator sees: one line a step, moving on a terminal, plain in a file or a pipe."""

from __future__ import annotations

import os
import re
import shutil
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TextIO

BOLD, DIM, RED, GREEN, YELLOW = "1", "2", "31", "32", "33"
REDRAW_S = 0.1
NAME_WIDTH = 12
CONTROL = re.compile(r"[\x00-\x1f\x7f]+")


@dataclass
class Screen:
    """Writes steps and paragraphs; colours and movement only on a terminal."""

    stream: TextIO = field(default_factory=lambda: sys.stdout)
    environment: Mapping[str, str] = field(default_factory=lambda: dict(os.environ))
    clock: Callable[[], float] = time.monotonic

    @property
    def moves(self) -> bool:
        """Whether a line may be drawn again."""
        return self.stream.isatty() and self.environment.get("TERM") != "dumb"

    def paint(self, text: str, colour: str) -> str:
        """Coloured on a terminal, unless $NO_COLOR is set."""
        if not self.moves or self.environment.get("NO_COLOR"):
            return text
        return f"\x1b[{colour}m{text}\x1b[0m"

    def write(self, text: str = "") -> None:
        """A line of its own."""
        self.stream.write(text + "\n")
        self.stream.flush()

    @contextmanager
    def step(self, name: str) -> Iterator[Line]:
        """A line for what happens inside; it says "failed" where an exception comes out."""
        line = Line(self, name, self.clock())
        line.progress("…")
        try:
            yield line
        except BaseException:
            line.end("failed", RED)
            raise
        line.end(line.note, GREEN)

    def table(self, header: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
        """Columns as wide as their widest cell; numbers to the right."""
        widths = [max(len(row[i]) for row in [header, *rows]) for i in range(len(header))]
        right = [all(_is_number(row[i]) for row in rows) for i in range(len(header))]
        for row in [header, *rows]:
            cells = [
                cell.rjust(width) if to_right else cell.ljust(width)
                for cell, width, to_right in zip(row, widths, right, strict=True)
            ]
            line = "  " + "  ".join(cells).rstrip()
            self.write(self.paint(line, DIM) if row is header else line)

    def redraw(self, line: str) -> None:
        """Write over the line that stands there; only where the screen moves."""
        width = shutil.get_terminal_size().columns
        self.stream.write("\r\x1b[2K" + line[: width - 1])
        self.stream.flush()


@dataclass
class Line:
    """The line of one step.

    Attributes:
        note: what came of it; shown at its end.
        warnings: lines of their own below it.
    """

    screen: Screen
    name: str
    begun: float
    note: str = ""
    warnings: Sequence[str] = ()
    _drawn: float = -1.0

    def progress(self, note: str) -> None:
        """The newest thing known: only shown on a terminal, ten times a second."""
        now = self.screen.clock()
        if self.screen.moves and now - self._drawn >= REDRAW_S:
            self._drawn = now
            self.screen.redraw(self._head() + CONTROL.sub(" ", note))

    def end(self, note: str, colour: str) -> None:
        """The line as it stays."""
        if self.screen.moves:
            self.screen.redraw("")
        self.screen.write(self.screen.paint(self._head(), colour) + CONTROL.sub(" ", note))
        for warning in self.warnings:
            text = f"{'':{NAME_WIDTH + 11}}{CONTROL.sub(' ', warning)}"
            self.screen.write(self.screen.paint(text, YELLOW))

    def _head(self) -> str:
        return f"  {self.name:{NAME_WIDTH}}{self.screen.clock() - self.begun:5.1f} s  "


def _is_number(text: str) -> bool:
    try:
        float(text.removesuffix("%"))
    except ValueError:
        return not text
    return True
