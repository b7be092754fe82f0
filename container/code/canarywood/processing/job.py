"""A processing job on one host or several, to an exit message in every case.

Of several hosts the first does the work, after the others have sent it what they alone have.
Standard library only.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Callable
from threading import Lock

from canarywood.contract import Layout, ProcessingInput
from canarywood.errors import UserError
from canarywood.logs import fields
from canarywood.processing import shards
from canarywood.processing.files import JobFiles
from canarywood.processing.shards import Meeting
from canarywood.processing.stopping import stoppable

Work = Callable[[Layout, JobFiles], str]

log = logging.getLogger(__name__)


def run(layout: Layout, work: Work) -> int:
    """Do the work of a job; what it returns becomes the exit message. Raises CanarywoodError.

    What it writes by way of `JobFiles` is there if all went well, and not otherwise. A failure's
    message is written by whoever called; after SIGTERM the process ends here, with its message.
    """
    files = JobFiles()
    ending = _Ending(layout, files)
    with stoppable(ending.stopped):
        try:
            others = _gather(layout)
            ending.done(_work(layout, work, files) if others is None else others)
        finally:
            files.discard()
    return 0


class _Ending:
    """The one end of a job: it is done, or it was stopped before."""

    def __init__(self, layout: Layout, files: JobFiles) -> None:
        self._layout = layout
        self._files = files
        self._lock = Lock()
        self._is_done = False

    def done(self, message: str) -> None:
        with self._lock:
            self._files.publish()
            self._layout.write_message(message)
            self._is_done = True

    def stopped(self, signal_name: str) -> None:
        """In the thread that waits for signals."""
        with self._lock:
            if self._is_done:  # too late to stop: everything is in place
                return
            self._files.discard()
            message = f"stopped by {signal_name} before the job was done; nothing was written"
            os.write(2, f"canarywood: {message}\n".encode())
            try:
                self._layout.write_message(message)
            finally:
                os._exit(1)  # the main thread may be anywhere, also in C for a long while


def _work(layout: Layout, work: Work, files: JobFiles) -> str:
    try:
        return work(layout, files)
    except SystemExit as error:
        raise UserError(
            f"code below model/ ended the job with sys.exit({error.code!r}); raise an error that "
            "says what is wrong instead"
        ) from error


def _gather(layout: Layout) -> str | None:
    """Bring the data of all hosts together; on all but the leader, the message to end with."""
    inputs = layout.processing_inputs()
    piped = [item.name for item in inputs if item.mode == "Pipe"]
    if piped:
        raise UserError(f"input {', '.join(piped)}: S3InputMode Pipe cannot be read; use File")
    cluster = layout.processing_cluster()
    if len(cluster.hosts) == 1:
        return None
    config = layout.processing_job_config()
    if not config:
        raise UserError(
            f"{len(cluster.hosts)} hosts, and no processingjobconfig.json that says which inputs "
            "are sharded; set the instance count to 1"
        )
    name = str(config.get("ProcessingJobArn") or config.get("ProcessingJobName"))
    meeting = Meeting(name, cluster, _sharded(inputs))
    if cluster.current != cluster.leader:
        return _help(meeting)
    if meeting.inputs:
        got = shards.receive(meeting)
        log.info("shards gathered", extra=fields(files=got))
    return None


def _sharded(inputs: tuple[ProcessingInput, ...]) -> tuple[ProcessingInput, ...]:
    return tuple(item for item in inputs if item.sharded)


def _help(meeting: Meeting) -> str:
    host, leader = meeting.cluster.current, meeting.cluster.leader
    if not meeting.inputs:
        return f"{host}: nothing to do here, {leader} has all the data and does the job"
    sent = shards.send(meeting)
    names = ", ".join(item.name for item in meeting.inputs)
    return f"{host}: files sent to {leader}, which does the job: {sent:,} of input {names}"
