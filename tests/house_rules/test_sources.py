"""Rules for the text of every file. What ruff and mypy can say, they say."""

from __future__ import annotations

import json
import re
from pathlib import Path

from tests.house_rules import tree

RULES = Path(__file__).parent
LONGEST_MODULE = 400
# Hosts that a file may name, beside names without a dot: loopback, and documents.
HOSTS = {
    "127.0.0.1", "docs.aws.amazon.com", "github.com", "keepachangelog.com", "semver.org",
    "www.apache.org", "www.rfc-editor.org", "peps.python.org", "diataxis.fr",
    "xgboost.readthedocs.io", "docs.astral.sh", "www.w3.org",
}  # fmt: skip
REGISTRIES = r"artifactory|jfrog|dkr\.ecr|ghcr\.io|quay\.io|pythonhosted|pypi\.org|deb\.debian\.org"
# Folders of one machine; a few tests speak of such folders inside an image or an invented tree.
MACHINE = r"(?<![\w$}.~>-])/(?:root|work|Users)(?:/|\b)|(?<![\w$}.~>-])/home/\w+/"
INVENTED = {"tests/docker/test_image.py", "tests/ops/test_plan.py"}


def test_no_module_is_longer_than_400_lines() -> None:
    modules = [path for path in tree.files() if path.suffix == ".py"]
    lengths = {tree.name(path): tree.text(path).count("\n") for path in modules}
    assert {name: n for name, n in lengths.items() if n > LONGEST_MODULE} == {}


def test_no_module_is_a_drawer_for_everything() -> None:
    drawers = {"utils.py", "util.py", "common.py", "misc.py", "helpers.py"}
    assert [tree.name(path) for path in tree.files() if path.name in drawers] == []


def test_the_image_never_asks_whether_it_is_local() -> None:
    image = tree.below("container")
    assert tree.places(r"(?i)localhost|is_local\b|AWS_ENDPOINT_URL", image) == []


def test_the_processes_of_the_image_meet_on_unix_sockets() -> None:
    places = tree.places(r"127\.0\.0\.1|\[::1\]", tree.below("container"))
    assert [place for place in places if "help=" not in place] == []


def test_tests_hand_over_fakes_instead_of_patching() -> None:
    rule = r"mock\.patch|monkeypatch\." + r"setattr|from unittest import mock"
    tests = [
        path for path in tree.below("tests", suffix=".py") if path.parent.name != "house_rules"
    ]
    assert tree.places(rule, tests) == []


def test_no_file_holds_a_path_of_a_machine() -> None:
    places = tree.places(MACHINE, [path for path in tree.files() if path.suffix != ".css"])
    assert [place for place in places if place.split(":")[0] not in INVENTED] == []


def test_every_host_that_a_file_names_is_known() -> None:
    locks = re.compile(r"requirements[\w.-]*\.txt")
    found = {
        f"{tree.name(path)}: {host}"
        for path in tree.files()
        if not locks.fullmatch(path.name) and path.name != "LICENSE"
        for host in re.findall(r"https?://([\w.-]+)", tree.text(path))
        if "." in host and host not in HOSTS and not host.endswith((".example", ".invalid"))
    }
    assert found == set()


def test_no_file_names_a_registry() -> None:
    others = [path for path in tree.files() if not _is_rule(path)]
    assert tree.places(REGISTRIES, others) == []


def test_a_todo_says_why_it_waits() -> None:
    rule = r"\b(TODO|FIXME" + r"|XXX)\b(?!\([^)]+\): \w+ \w+)"
    others = [path for path in tree.files() if path.suffix != ".md" and not _is_rule(path)]
    assert tree.places(rule, others) == []


def test_an_exception_from_the_linter_names_its_rule() -> None:
    rule = r"# noqa(?!: [A-Z]+\d+)|# type: ignore(?!\[)"
    others = [path for path in tree.files() if path.suffix == ".py" and not _is_rule(path)]
    assert tree.places(rule, others) == []


def test_every_text_file_ends_with_a_newline() -> None:
    texts = [path for path in tree.files() if b"\0" not in path.read_bytes()]
    assert [tree.name(path) for path in texts if not path.read_bytes().endswith(b"\n")] == []


def test_notebooks_are_committed_without_outputs() -> None:
    kept = []
    for path in tree.files():
        if path.suffix == ".ipynb":
            cells = json.loads(tree.text(path))["cells"]
            kept += [tree.name(path) for c in cells if c.get("outputs") or c.get("execution_count")]
    assert kept == []


def _is_rule(path: Path) -> bool:
    """The rules themselves hold the words that they look for."""
    return path.parent == RULES
