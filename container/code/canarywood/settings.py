"""Settings of `serve`: each is declared once, here, with everything that is known about it.

Standard library only. The environment variables, their check, and the reference page
(docs/reference/settings.md) all derive from the fields of `ServeSettings`:

    python -m canarywood.settings > docs/reference/settings.md
"""

from __future__ import annotations

import dataclasses
import ipaddress
import os
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from canarywood.errors import SettingsError

MIB = 1024 * 1024
LARGEST_BODY = 1024 * MIB  # what an asynchronous endpoint may send
LOOP, THREADS = "loop", "threads"
BATCH_TIMEOUT_S = 595  # a batch transform job waits for 600 by default


@dataclass(frozen=True)
class Setting:
    """What is known of one setting, beside its name, type and default.

    Attributes:
        names: environment variables, the first that is set counts.
        read: text of the variable -> value; ValueError where it is not one.
        unit: of the value, for the reference page.
        range: of the value, as a sentence part: "1 to 65535".
        minimum, maximum: of the value; None where there is no order.
        shown_default: text for the reference page where the value alone would not tell.
        megabytes: those of `names` that count in MiB and not in bytes.
    """

    names: tuple[str, ...]
    help: str
    read: Callable[[str], Any]
    unit: str = ""
    range: str = ""
    minimum: float | None = None
    maximum: float | None = None
    shown_default: str = ""
    megabytes: tuple[str, ...] = ()


def _declare(default: object, *names: str, **known: Any) -> Any:
    """A dataclass field that carries its Setting."""
    return dataclasses.field(default=default, metadata={"setting": Setting(names, **known)})


def _boolean(text: str) -> bool:
    return {"true": True, "1": True, "yes": True, "false": False, "0": False, "no": False}[
        text.lower()
    ]


def _level(text: str) -> int:
    """A level of the logging module, by number or by name."""
    named = {"debug": 10, "info": 20, "warning": 30, "error": 40, "critical": 50}
    return named[text.lower()] if text.lower() in named else int(text)


def _between(minimum: float, maximum: float) -> dict[str, Any]:
    return {"minimum": minimum, "maximum": maximum, "range": f"{minimum} to {maximum}"}


@dataclass(frozen=True)
class ServeSettings:
    """How `serve` serves. Read it by from_environment(); the defaults are the documented ones."""

    port: int = _declare(
        8080,
        "SAGEMAKER_BIND_TO_PORT",
        read=int,
        help="The only port that is opened.",
        **_between(1, 65535),
    )
    bind_address: str = _declare(
        "0.0.0.0",  # noqa: S104 - in a container the platform comes from outside
        "CANARYWOOD_BIND_ADDRESS",
        read=lambda text: str(ipaddress.IPv4Address(text)),
        range="an IPv4 address",
        help="The address that the port is opened on; 127.0.0.1 where no container shields it.",
    )
    workers: int = _declare(
        0,
        "SAGEMAKER_MODEL_SERVER_WORKERS",
        "MODEL_SERVER_WORKERS",
        "SAGEMAKER_NUM_MODEL_WORKERS",
        read=int,
        shown_default="one a CPU and GiB of memory of the container, by cgroup and affinity",
        help="Worker processes. They share one copy of the model.",
        **_between(0, 256),
    )
    threads: int = _declare(
        1,
        "CANARYWOOD_THREADS",
        read=int,
        unit="per worker",
        help="Large requests that a worker predicts at the same time, each on one CPU; small ones "
        "are answered beside them (CANARYWOOD_WORKER).",
        **_between(1, 64),
    )
    queue_size: int = _declare(
        100,
        "SAGEMAKER_MODEL_JOB_QUEUE_SIZE",
        read=int,
        unit="requests per worker",
        help="Requests that wait while all threads predict; one more is answered 429.",
        **_between(0, 1000),
    )
    timeout_s: int = _declare(
        55,
        "SAGEMAKER_MODEL_SERVER_TIMEOUT_SECONDS",
        "SAGEMAKER_MODEL_SERVER_TIMEOUT",
        "MODEL_SERVER_TIMEOUT",
        read=int,
        unit="seconds",
        help="Deadline of a request, waiting included; then 503. gunicorn waits one second "
        "longer, nginx two: above 57 a real-time endpoint gives up first.",
        **_between(1, 3600),
    )
    startup_timeout_s: int = _declare(
        240,
        "SAGEMAKER_STARTUP_TIMEOUT",
        read=int,
        unit="seconds",
        help="Workers that are not warm by then end the container.",
        **_between(1, 3600),
    )
    max_body_bytes: int = _declare(
        6 * MIB,
        "SAGEMAKER_MAX_PAYLOAD_IN_MB",
        "SAGEMAKER_MAX_REQUEST_SIZE",
        "MAX_CONTENT_LENGTH",
        read=int,
        megabytes=("SAGEMAKER_MAX_PAYLOAD_IN_MB",),
        unit="bytes (SAGEMAKER_MAX_PAYLOAD_IN_MB: MiB)",
        help="The largest body of a request; above, 413. 0 stands for the largest possible.",
        **_between(0, LARGEST_BODY),
    )
    max_rows: int = _declare(
        1_000_000,
        "CANARYWOOD_MAX_ROWS",
        read=int,
        unit="rows",
        help="The most rows of a request; above, 413. While a request is answered its rows hold "
        "memory: rows times features times 4 bytes, and as much again for each class where "
        "`contributions` are asked for.",
        **_between(1, 10**9),
    )
    max_cells: int = _declare(
        1 << 26,
        "CANARYWOOD_MAX_CELLS",
        read=int,
        unit="cells",
        help="The most values of a request, rows times columns, and of an answer; above, 413. A "
        "few bytes of a sparse or compressed format can stand for many.",
        **_between(1, 10**10),
    )
    max_header_bytes: int = _declare(
        16 * 1024,
        "CANARYWOOD_MAX_HEADER_BYTES",
        read=int,
        unit="bytes",
        help="The longest line of a request's head, its end (two bytes) included; above, 431, and "
        "414 for the first one.",
        **_between(1024, 1024 * 1024),
    )
    inference_output: str = _declare(
        "",
        "SAGEMAKER_INFERENCE_OUTPUT",
        read=str,
        range="outputs of the model's objective, with commas: see [HTTP](http.md#outputs)",
        shown_default="predictions",
        help="What a row is answered with, where the request does not say it.",
    )
    ensemble: bool = _declare(
        True,
        "SAGEMAKER_INFERENCE_ENSEMBLE",
        read=_boolean,
        range="true or false",
        help="An archive of several models is answered by all of them together; false: by the "
        "first alone.",
    )
    batch: bool = _declare(
        False,
        "SAGEMAKER_BATCH",
        read=_boolean,
        range="true or false",
        help="Set by the platform in a batch transform job: a request without Accept is answered "
        "in the type of its body, and the deadline is 595 seconds, where none is set.",
    )
    default_accept: str = _declare(
        "",
        "SAGEMAKER_DEFAULT_INVOCATIONS_ACCEPT",
        read=str,
        range="a media type that the model can answer with",
        shown_default="text/csv",
        help="Type of the answer where a request has no Accept header, or `*/*`.",
    )
    log_level: int = _declare(
        20,
        "SAGEMAKER_CONTAINER_LOG_LEVEL",
        read=_level,
        minimum=0,
        maximum=50,
        range="10 to 50, or debug, info, warning, error, critical",
        help="Events below this level are not logged.",
    )
    request_log_share: float = _declare(
        0.01,
        "CANARYWOOD_REQUEST_LOG_SHARE",
        read=float,
        help="Share of the good requests that are logged; refused ones always are, pings never.",
        **_between(0, 1),
    )
    drain_delay_s: float = _declare(
        2.0,
        "CANARYWOOD_DRAIN_DELAY",
        read=float,
        unit="seconds",
        help="After SIGTERM: time in which /ping says 503 and requests are still taken.",
        **_between(0, 10),
    )
    max_requests: int = _declare(
        0,
        "CANARYWOOD_MAX_REQUESTS",
        read=int,
        unit="requests",
        help="A worker is replaced after so many (up to a tenth more, at random); 0: never.",
        **_between(0, 10**9),
    )
    worker: str = _declare(
        LOOP,
        "CANARYWOOD_WORKER",
        read=lambda text: {LOOP: LOOP, THREADS: THREADS}[text.lower()],
        range=f"{LOOP} or {THREADS}",
        help="loop: small requests are answered together, in an event loop, all others in threads; "
        "threads: every request in a thread, as always where nginx is off.",
    )
    use_nginx: bool = _declare(
        True,
        "SAGEMAKER_USE_NGINX",
        read=_boolean,
        range="true or false",
        help="false: gunicorn answers on the port itself, to find a fault.",
    )

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] = os.environ) -> ServeSettings:
        """Read every setting; raises SettingsError with all that is wrong, not the first alone."""
        values: dict[str, Any] = {}
        faults = []
        for name, setting in declarations(cls).items():
            try:
                found = _find(setting, environment)
            except SettingsError as error:
                faults.append(str(error))
                continue
            if found is not None:
                values[name] = found
        if faults:
            raise SettingsError("; ".join(faults))
        if values.get("max_body_bytes") == 0:
            values["max_body_bytes"] = LARGEST_BODY
        if values.get("batch"):
            values.setdefault("timeout_s", BATCH_TIMEOUT_S)
        return cls(**values)

    @property
    def gunicorn_timeout_s(self) -> int:
        """A worker that is frozen so long is replaced: after the deadline, before nginx."""
        return self.timeout_s + 1

    @property
    def nginx_timeout_s(self) -> int:
        """nginx is the last to give up, and still before the platform's 60 seconds."""
        return self.timeout_s + 2


def declarations(settings: type[ServeSettings]) -> dict[str, Setting]:
    """What is known of each field, in order."""
    return {item.name: item.metadata["setting"] for item in dataclasses.fields(settings)}


def _find(setting: Setting, environment: Mapping[str, str]) -> Any:
    """The value of the first variable that is set and not blank; None where none is."""
    for name in setting.names:
        text = environment.get(name, "").strip()
        if text:
            return _value(setting, name, text)
    return None


def _value(setting: Setting, name: str, text: str) -> Any:
    try:
        value = setting.read(text)
    except (ValueError, KeyError):
        raise SettingsError(f"{name}={text!r} must be {_range_of(setting, name)}") from None
    if name in setting.megabytes:
        value *= MIB
    if setting.minimum is not None and not setting.minimum <= value <= (setting.maximum or 0):
        raise SettingsError(f"{name}={text!r} is out of range: {_range_of(setting, name)}")
    return value


def _range_of(setting: Setting, name: str) -> str:
    """The range as that variable counts it."""
    if name in setting.megabytes and setting.maximum is not None:
        return f"0 to {int(setting.maximum) // MIB} MiB"
    return " ".join(filter(None, [setting.range, setting.unit.split(" (")[0]]))


def reference() -> str:
    """The reference page of the settings, in Markdown."""
    lines = [
        "<!-- Generated by `python -m canarywood.settings`; edit container/code/canarywood/settings.py. -->",  # noqa: E501 - one line of the page
        "# Settings of `serve`",
        "",
        "Environment variables of the serving container. Where one setting has several, the "
        "first that is set counts. A value out of range stops the start with a sentence that "
        "names it.",
        "",
        "| variable | default | range, unit | what it does |",
        "|---|---|---|---|",
    ]
    fields = {item.name: item for item in dataclasses.fields(ServeSettings)}
    for name, setting in declarations(ServeSettings).items():
        default = setting.shown_default or _shown(fields[name].default)
        variables = "<br>".join(f"`{variable}`" for variable in setting.names)
        extent = " ".join(filter(None, [setting.range, setting.unit]))
        lines.append(f"| {variables} | {default} | {extent} | {setting.help} |")
    return "\n".join([*lines, ""])


def _shown(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else f"{value}"


if __name__ == "__main__":
    sys.stdout.write(reference())
