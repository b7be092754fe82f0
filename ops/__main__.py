"""`python -m ops`: the operator's commands."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from pathlib import Path

import click

from canarywood.errors import CanarywoodError
from ops import convert as converting
from ops import datasets, ending, servers
from ops import project as projects
from ops.notes import short
from ops.road import FOLDER, Road
from ops.runtime import DockerRuntime, ProcessRuntime, Runtime
from ops.screen import BOLD, RED, Screen

ROOT = Path(__file__).resolve().parent.parent


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
def cli() -> None:
    """From a table of data to an answered prediction, on this machine."""


@cli.command()
@click.argument("project", type=click.Path(path_type=Path, exists=True), default=Path())
@click.option(
    "--runtime", type=click.Choice(["process", "docker"]), default="process", show_default=True
)
@click.option("--port", type=click.IntRange(1, 65535), help="8080, or the next that is free.")
@click.option("--fresh", is_flag=True, help="Run every job, reuse nothing.")
def run(project: Path, runtime: str, port: int | None, fresh: bool) -> None:
    """Fetch, preprocess, train, evaluate, serve; then ask for real rows.

    PROJECT is a folder with a project.yml, or that file.
    """
    screen = Screen()
    settings = projects.load(project)
    where: Runtime = DockerRuntime() if runtime == "docker" else ProcessRuntime(ROOT)
    road = Road(settings, ROOT, datasets.cache_folder(), where, screen, fresh=fresh)
    how = "in containers" if runtime == "docker" else "as processes of this machine"
    screen.write(screen.paint(f"{settings.name}: from a table to a prediction, {how}", BOLD))
    served = road.walk(port)
    ending.show(settings, road.home, served.server, screen)


@cli.command()
def down() -> None:
    """Stop the servers of every project."""
    screen = Screen()
    running = servers.running(ROOT / FOLDER)
    for server in running:  # all at once, then wait for each
        servers.ask(server)
    for server in running:
        with screen.step("down") as line:
            servers.stop(server, ROOT / FOLDER / server.project)
            line.note = f"{server.project} on port {server.port} has drained and ended"
    if not running:
        screen.write("no server is running")


@cli.command()
@click.argument("names", nargs=-1)
def fetch(names: Sequence[str]) -> None:
    """Bring data sets into the cache; all of datasets.toml where none is named."""
    screen = Screen()
    catalogue = datasets.read_catalogue(ROOT / datasets.CATALOGUE)
    wanted = [datasets.find(name, catalogue) for name in names or catalogue]
    cache = datasets.cache_folder()
    reused = datasets.fetch(wanted, cache)
    rows = [
        [d.name, f"{d.rows}", d.licence, "was there" if reused[d.name] else "fetched"]
        for d in wanted
    ]
    screen.table(["data set", "rows", "licence", ""], rows)
    screen.write(f"in {short(cache)}")


@cli.command()
@click.argument("file", type=click.Path(path_type=Path, exists=True, dir_okay=False))
@click.option("--output", required=True, type=click.Path(path_type=Path), help="An empty folder.")
@click.option(
    "--trust",
    is_flag=True,
    help="I know who made FILE: a pickle runs the code in it, with my rights, when it is opened.",
)
def convert(file: Path, output: Path, trust: bool) -> None:
    """Make a model artifact of a pickled model.

    FILE is a pickle or joblib file of a Booster, XGBClassifier or XGBRegressor, or a model file of
    XGBoost's own.
    """
    screen = Screen()
    done = converting.convert(file, output, trust=trust)
    screen.write(
        f"{done.kind}: {done.objective}, {done.features} features, {done.rounds} rounds -> "
        f"{short(done.model)}"
    )
    if trust and not done.cut_off:
        screen.write("note: the network could not be cut off while the file was open")
    for note in done.notes:
        screen.write(f"note: {note}")
    screen.write(f"pack it: tar -czf model.tar.gz -C {short(output)} {done.model.name}")


def main() -> int:
    """The console script: exit code 0, 1 with one readable reason, or 2 for a wrong call."""
    try:
        cli.main(standalone_mode=False)
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except (click.Abort, KeyboardInterrupt):
        sys.stderr.write("stopped\n")
        return 130
    except BrokenPipeError:  # the reader of our output, such as `head`, has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except CanarywoodError as error:
        screen = Screen(stream=sys.stderr)
        sys.stderr.write(f"\n{screen.paint('canarywood:', RED)} {error}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
