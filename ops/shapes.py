"""Says what a settings file may hold, and finds everything that is wrong with it at once.

A shape is a function (value, place) -> faults; the place is a path of keys such as `data.split.by`.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Collection, Iterator, Mapping

Shape = Callable[[object, str], Iterator[str]]

LONGEST = 60  # characters of a value in a message


def text(value: object, place: str) -> Iterator[str]:
    """Some text, not empty."""
    if not isinstance(value, str) or not value:
        yield f"{place}: expected a text, found {show(value)}"


def number(value: object, place: str) -> Iterator[str]:
    """A number; true and false are none."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        yield f"{place}: expected a number, found {show(value)}"


def flag(value: object, place: str) -> Iterator[str]:
    """True or false."""
    if not isinstance(value, bool):
        yield f"{place}: expected true or false, found {show(value)}"


def scalar(value: object, place: str) -> Iterator[str]:
    """A text, a number, true or false."""
    if not isinstance(value, str | int | float):
        yield f"{place}: expected a text or a number, found {show(value)}"


def anything(value: object, place: str) -> Iterator[str]:  # noqa: ARG001 - the form of a Shape
    """Whatever is written; the command that reads it checks it."""
    yield from ()


def nothing(value: object, place: str) -> Iterator[str]:
    """No value: the key alone."""
    if value is not None:
        yield f"{place}: expected nothing, found {show(value)}"


def word(*words: str) -> Shape:
    """One of these words."""

    def check(value: object, place: str) -> Iterator[str]:
        if value not in words:
            near = did_you_mean(str(value), words)
            yield f"{place}: expected one of {', '.join(words)}, found {show(value)}{near}"

    return check


def list_of(item: Shape) -> Shape:
    """A list, not empty, of things of one shape."""

    def check(value: object, place: str) -> Iterator[str]:
        if not isinstance(value, list) or not value:
            yield f"{place}: expected a list, found {show(value)}"
            return
        for position, element in enumerate(value):
            yield from item(element, f"{place}[{position}]")

    return check


def map_of(item: Shape) -> Shape:
    """A mapping with any keys, of things of one shape."""

    def check(value: object, place: str) -> Iterator[str]:
        if not isinstance(value, dict):
            yield f"{place}: expected a mapping, found {show(value)}"
            return
        for key, element in value.items():
            yield from item(element, _below(place, key))

    return check


def mapping(required: Mapping[str, Shape], optional: Mapping[str, Shape]) -> Shape:
    """A mapping with known keys."""
    known = {**required, **optional}

    def check(value: object, place: str) -> Iterator[str]:
        if not isinstance(value, dict):
            yield f"{place or 'the file'}: expected a mapping, found {show(value)}"
            return
        for key in value.keys() - known.keys():
            yield f"{_below(place, key)}: there is no such key{did_you_mean(str(key), known)}"
        for key in required.keys() - value.keys():
            yield f"{_below(place, key)}: is missing"
        for key in value.keys() & known.keys():
            yield from known[key](value[key], _below(place, key))

    return check


def either(*shapes: Shape) -> Shape:
    """One of these shapes; where none fits, the faults of the one that comes nearest."""

    def check(value: object, place: str) -> Iterator[str]:
        faults = [list(shape(value, place)) for shape in shapes]
        # A fault inside the value says more than "expected a text" about the value itself.
        yield from min(faults, key=lambda found: (bool(found), -_depth(found)))

    return check


def did_you_mean(wrong: str, known: Collection[str]) -> str:
    """`; did you mean split?`, or nothing where no known name is near."""
    near = difflib.get_close_matches(wrong.lower(), known, n=1)
    return f"; did you mean {near[0]}?" if near else ""


def show(value: object) -> str:
    """A value in the words of the file."""
    if value is None:
        return "nothing"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, dict):
        return "a mapping"
    if isinstance(value, list):
        return "a list" if value else "an empty list"
    # cut before and after: a text may be a whole file, and quoting makes it longer
    text = repr(value[: LONGEST + 1] if isinstance(value, str) else value)
    return text if len(text) <= LONGEST else text[: LONGEST - 3] + "..."


def _below(place: str, key: object) -> str:
    return f"{place}.{key}" if place else str(key)


def _depth(faults: list[str]) -> int:
    return max((len(fault.split(":")[0]) for fault in faults), default=0)
