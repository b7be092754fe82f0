"""The files of the repository, as the house rules look at them."""

from __future__ import annotations

import functools
import re
import subprocess
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


@functools.cache
def files() -> tuple[Path, ...]:
    """Every file that is tracked or could be: what .gitignore names is left out."""
    listed = subprocess.run(
        ["git", "-c", "safe.directory=*", "ls-files", "-z", "-co", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    return tuple(path for name in listed.split("\0") if name and (path := ROOT / name).is_file())


def below(*folders: str, suffix: str = "") -> list[Path]:
    """The files in these folders of the root."""
    return [
        path
        for path in files()
        if path.relative_to(ROOT).parts[0] in folders and path.name.endswith(suffix)
    ]


@functools.cache
def text(path: Path) -> str:
    """The text of a file; of a picture, what can be read of it."""
    return path.read_text(encoding="utf-8", errors="replace")


def places(pattern: str, paths: list[Path]) -> list[str]:
    """`file:line: text` of every line that a pattern finds."""
    found = []
    for path in paths:
        for number, line in enumerate(text(path).splitlines(), start=1):
            if re.search(pattern, line):
                found.append(f"{name(path)}:{number}: {line.strip()[:120]}")
    return found


def name(path: Path) -> str:
    """The path seen from the root."""
    return path.relative_to(ROOT).as_posix()


@dataclass(frozen=True)
class Block:
    """A fenced block of a page."""

    page: Path
    line: int
    language: str
    text: str

    @property
    def place(self) -> str:
        """`README.md:12`."""
        return f"{name(self.page)}:{self.line}"


def pages() -> list[Path]:
    """Every Markdown page."""
    return [path for path in files() if path.suffix == ".md"]


def blocks(language: str) -> list[Block]:
    """The blocks of one language in all pages."""
    return [
        Block(page, text(page).count("\n", 0, match.start()) + 1, match[1], match[2])
        for page in pages()
        for match in FENCE.finditer(text(page))
        if match[1] == language
    ]


def prose(page: Path) -> str:
    """A page without its blocks."""
    return FENCE.sub("", text(page))
