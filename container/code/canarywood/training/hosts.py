"""Training on several hosts: who takes part, and how they agree. XGBoost's own collective.

The hosts are those of resourceconfig.json. All meet on port 9099 of the first by name and say
whether they have rows; sharding by S3 key may leave one without, and it goes home with success.
The others meet again on port 9100, of the first among them, and train one model together.

XGBoost sums gradients and metrics over the hosts itself. What Python decides (a signal, a
checkpoint, the width of a sparse file) must be agreed on, or one host waits for another for ever.
"""

from __future__ import annotations

import json
import logging
import socket
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from xgboost import collective
from xgboost.core import XGBoostError
from xgboost.tracker import RabitTracker

from canarywood.errors import PlatformError
from canarywood.logs import fields
from canarywood.training.phrases import last_words

FIRST_PORT, SECOND_PORT = 9099, 9100
_NAMES_S = 15 * 60.0  # how long a host's name may be unknown: containers start one by one
_CONNECT_S = 120
_CONNECT_TRIES = 30

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Hosts:
    """The hosts that train together, or the one that trains alone."""

    rank: int = 0
    count: int = 1

    @property
    def is_first(self) -> bool:
        """Whether this host writes the model and the metric lines."""
        return self.rank == 0

    def gathered(self, value: Any) -> list[Any]:
        """What every host says, as JSON, in the order of ranks."""
        if self.count == 1:
            return [value]
        return _gathered(value, self.rank, self.count)

    def summed(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        """The sum over all hosts."""
        if self.count == 1:
            return values
        found = collective.allreduce(np.ascontiguousarray(values), collective.Op.SUM)
        return np.asarray(found).reshape(values.shape)

    def any(self, fact: bool) -> bool:
        """Whether it is true on any host."""
        if self.count == 1:
            return fact
        found = collective.allreduce(np.array([int(fact)], dtype=np.int32), collective.Op.MAX)
        return bool(np.asarray(found)[0])


ALONE = Hosts()
Resolve = Callable[[str], str]


@contextmanager
def together(
    config: Mapping[str, Any],
    has_rows: Callable[[], bool],
    *,
    resolve: Resolve = socket.gethostbyname,
) -> Iterator[Hosts | None]:
    """Meet the other hosts of a job; None where this one has nothing to do.

    Args:
        config: resourceconfig.json.
        has_rows: whether this host has rows in all channels.

    Raises:
        PlatformError: a host is not found, or does not come.
    """
    names = sorted(config.get("hosts", ()))
    if len(names) < 2:
        yield ALONE
        return
    current = config.get("current_host")
    if current not in names:
        raise PlatformError(f"current_host {current!r} is none of the hosts {', '.join(names)}")
    addresses = {name: _address(name, resolve) for name in names}
    me = names.index(current)
    second: RabitTracker | None = None
    with _meeting(addresses[names[0]], FIRST_PORT, me, len(names)):
        says = _gathered(bool(has_rows()), collective.get_rank(), len(names))
        left = [name for name, rows in zip(names, says, strict=True) if rows]
        if len(left) > 1 and left[0] == current:  # before the others look for it
            second = _tracker(addresses[current], SECOND_PORT, len(left))
        _gathered(None, collective.get_rank(), len(names))
    if len(left) < len(names):
        idle = sorted(set(names) - set(left))
        log.warning("hosts without rows", extra=fields(hosts=idle, training=left))
    if current not in left:
        yield ALONE if not left else None  # where no host has rows, each says what is missing
        return
    if len(left) == 1:
        yield ALONE
        return
    place = left.index(current)
    with _meeting(addresses[left[0]], SECOND_PORT, place, len(left), second):
        yield Hosts(collective.get_rank(), len(left))


def _address(name: str, resolve: Resolve) -> str:
    """The address of a host; its name may not be known yet."""
    deadline = time.monotonic() + _NAMES_S
    pause_s = 0.1
    while True:
        try:
            return resolve(name)
        except OSError as error:
            if time.monotonic() > deadline:
                raise PlatformError(f"the host {name} is not found: {error}") from error
            time.sleep(pause_s)
            pause_s = min(pause_s * 2, 30)


@contextmanager
def _meeting(
    address: str, port: int, place: int, count: int, tracker: RabitTracker | None = None
) -> Iterator[None]:
    """Be one of the workers; the first of them also keeps the tracker."""
    if place == 0 and tracker is None:
        tracker = _tracker(address, port, count)
    arguments = {
        "dmlc_tracker_uri": address,
        "dmlc_tracker_port": port,
        "dmlc_task_id": f"{place:06d}",  # ranks go by this, as text
        "dmlc_timeout": _CONNECT_S,
        "dmlc_retry": _CONNECT_TRIES,
    }
    try:
        try:
            collective.init(**arguments)
        except XGBoostError as error:
            raise PlatformError(
                f"the host at {address}:{port} does not answer: {last_words(str(error))}"
            ) from error
        try:
            yield
        except BaseException:
            # the others must not wait for a host that is gone
            collective.signal_error()
            raise
        collective.finalize()
    finally:
        if tracker is not None:
            _end(tracker)


def _tracker(address: str, port: int, count: int) -> RabitTracker:
    try:
        tracker = RabitTracker(n_workers=count, host_ip=address, port=port, sortby="task")
        tracker.start()
    except XGBoostError as error:
        raise PlatformError(
            f"{address}:{port} cannot be opened: {last_words(str(error))}"
        ) from error
    return tracker


def _end(tracker: RabitTracker) -> None:
    try:
        tracker.wait_for(timeout=10)
    except (XGBoostError, ValueError) as error:
        log.warning("tracker", extra=fields(error=str(error).splitlines()[0]))
    tracker.free()


def _gathered(value: Any, rank: int, count: int) -> list[Any]:
    text = json.dumps(value)
    found = [collective.broadcast(text if rank == i else None, i) for i in range(count)]
    return [json.loads(item) for item in found]
