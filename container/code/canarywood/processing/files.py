"""The files that a job writes: all of them, or none. Standard library only."""

from __future__ import annotations

import shutil
import tempfile
from contextlib import suppress
from pathlib import Path

UNFINISHED = ".{}.unfinished"  # hidden: readers of a folder's data leave it out


class JobFiles:
    """Files under hidden names beside their places, which get their names together at the end.

    So a job that is stopped or fails leaves nothing that looks like a result. They stand beside
    their places because each output folder may be a volume of its own.
    """

    def __init__(self) -> None:
        self._places: dict[Path, Path] = {}
        self._scratch: list[Path] = []

    def new(self, place: Path) -> Path:
        """Where to write the file that will stand at `place`."""
        place.parent.mkdir(parents=True, exist_ok=True)
        hidden = place.with_name(UNFINISHED.format(place.name))
        hidden.unlink(missing_ok=True)
        self._places[hidden] = place
        return hidden

    def scratch(self) -> Path:
        """A folder of this job alone, for files that are no result."""
        folder = Path(tempfile.mkdtemp(prefix="canarywood-"))
        self._scratch.append(folder)
        return folder

    def publish(self) -> None:
        """Give every file its name. A link that lies there is replaced, not followed."""
        done: list[Path] = []
        try:
            for hidden, place in self._places.items():
                hidden.replace(place)
                done.append(place)
        except OSError:
            for place in done:
                place.unlink(missing_ok=True)
            raise
        self._places.clear()

    def discard(self) -> None:
        """Remove what has not been published."""
        for hidden in list(self._places):
            with suppress(OSError):
                hidden.unlink(missing_ok=True)
        self._places.clear()
        for folder in self._scratch:
            shutil.rmtree(folder, ignore_errors=True)
