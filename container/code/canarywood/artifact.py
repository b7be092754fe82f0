"""The model artifact: what lies in model.tar.gz. Standard library only.

    xgboost-model               the booster, UBJSON, at the root
    xgboost-model-0, -1, ...    in its place: the boosters of a cross-validation, one a fold
    canarywood/schema.json      the data contract of the model
    canarywood/manifest.json    versions, digests, what training did

Nothing else stands at the root: AWS's own XGBoost image takes every plain file there for a
member of an ensemble, and ignores folders. So the same archive runs in both images. A file that
might be a pickle is never opened.
"""

from __future__ import annotations

import dataclasses
import gzip
import hashlib
import lzma
import shutil
import tarfile
import zlib
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path, PurePosixPath
from typing import Any

from canarywood.contract import read_json, write_json
from canarywood.errors import ArtifactError, DataError
from canarywood.schema.definition import Schema

MODEL_FILE = "xgboost-model"
ARCHIVE_FILE = "model.tar.gz"
SCHEMA_FILE = "canarywood/schema.json"
MANIFEST_FILE = "canarywood/manifest.json"
MOST_MEMBERS = 10_000  # files in an archive; a model has a handful


@dataclass(frozen=True)
class Manifest:
    """What training did, and with what.

    Attributes:
        models: the boosters at the root; of several the mean is the answer, or the vote where
            each answers with a class.
        sha256: hex digest by file, relative to the model folder.
        best_iteration: the best round, from 0; the stored booster ends with it. None where
            training did not stop early.
        rounds: boosting rounds in the stored booster.
        outputs: numbers a row is answered with.
        metrics: last value of each metric, `validation-auc` -> 0.67.
    """

    created: str
    canarywood: str
    xgboost: str
    python: str
    objective: str
    rounds: int
    features: int
    outputs: int
    best_iteration: int | None = None
    models: tuple[str, ...] = (MODEL_FILE,)
    sha256: dict[str, str] = field(default_factory=dict)
    hyperparameters: dict[str, Any] = field(default_factory=dict)
    metrics: dict[str, float] = field(default_factory=dict)

    def write(self, model_dir: Path) -> None:
        """Write manifest.json with the digests of the model and the schema as they are now."""
        digests = {
            name: digest(model_dir / name)
            for name in (*self.models, SCHEMA_FILE)
            if (model_dir / name).is_file()
        }
        stamped = dataclasses.replace(self, sha256=digests)
        write_json(model_dir / MANIFEST_FILE, dataclasses.asdict(stamped))

    @classmethod
    def read(cls, model_dir: Path) -> Manifest:
        """Read manifest.json; raises ArtifactError where it is missing or damaged."""
        try:
            value = read_json(model_dir / MANIFEST_FILE)
        except DataError as error:
            raise ArtifactError(str(error)) from error
        known = {item.name for item in dataclasses.fields(cls)}
        try:
            if not isinstance(value, dict):
                raise TypeError("not a JSON object")
            found = cls(**{name: item for name, item in value.items() if name in known})
            if not isinstance(found.sha256, dict):
                raise TypeError("sha256 is not an object")
            found = dataclasses.replace(found, models=tuple(found.models))
        except TypeError as error:
            raise ArtifactError(f"{model_dir / MANIFEST_FILE} is damaged: {error}") from error
        return found


@dataclass(frozen=True)
class Artifact:
    """An untarred model artifact."""

    folder: Path

    @property
    def model_path(self) -> Path:
        """Where the booster lies; raises ArtifactError where it does not."""
        path = self.folder / MODEL_FILE
        if path.is_file():
            return path
        found = sorted(p.name for p in self.folder.iterdir()) if self.folder.is_dir() else []
        raise ArtifactError(
            f"no model: {path} is not there; the folder holds {', '.join(found) or 'nothing'}. "
            f"The archive must have {MODEL_FILE!r} at its root"
        )

    @property
    def model_paths(self) -> tuple[Path, ...]:
        """Where the boosters lie: one, or several that answer together.

        Those that the manifest names; without a manifest `xgboost-model`, or the fold models that
        AWS's own image writes. Raises ArtifactError where one is missing.
        """
        names = self.manifest.models if self.manifest else (MODEL_FILE,)
        if self.manifest is None and not (self.folder / MODEL_FILE).is_file():
            folds = self.folder.glob(f"{MODEL_FILE}-*")
            numbers = sorted(int(n) for p in folds if (n := p.name.rpartition("-")[2]).isdecimal())
            names = tuple(f"{MODEL_FILE}-{number}" for number in numbers)
        if names in ((), (MODEL_FILE,)):
            return (self.model_path,)
        absent = [n for n in names if Path(n).name != n or not (self.folder / n).is_file()]
        if absent:
            raise ArtifactError(f"no model: {self.folder / absent[0]} is not there")
        return tuple(self.folder / name for name in names)

    @cached_property
    def schema(self) -> Schema | None:
        """The schema, or None for an artifact that another image made."""
        path = self.folder / SCHEMA_FILE
        return Schema.read(path) if path.exists() else None

    @cached_property
    def manifest(self) -> Manifest | None:
        """The manifest, or None for an artifact that another image made."""
        return Manifest.read(self.folder) if (self.folder / MANIFEST_FILE).exists() else None

    def check(self) -> None:
        """Compare every digest of the manifest; raises ArtifactError at the first that is off."""
        for path in self.model_paths:
            with path.open("rb") as stream:
                first = stream.read(1)
            if first == b"\x80":
                raise ArtifactError(
                    f"{path} is a pickle, which can run any code when it is opened, so it never "
                    "is here. Save the booster with Booster.save_model(...) as .ubj or .json, or "
                    "convert the file where it may be opened: python -m ops convert FILE "
                    "--output FOLDER --trust"
                )
        if self.manifest is None:
            return
        for name, expected in self.manifest.sha256.items():
            path = self.folder / name
            if not path.is_file() or digest(path) != expected:
                raise ArtifactError(
                    f"{path} is not the file that training wrote (sha256 differs); "
                    "fetch the model archive again"
                )


def digest(path: Path) -> str:
    """The sha256 of a file, in hex."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def unpack(archive: Path, folder: Path) -> None:
    """Extract a model archive, or refuse it whole.

    Only plain files and folders below `folder` are taken: an artifact needs no links, devices or
    absolute paths. The rule is our own, since `tarfile.data_filter` is not in every Python 3.11
    and had holes of its own (CVE-2025-4517). Every member is looked at before one is written.

    Raises:
        ArtifactError: missing, damaged, unsafe, or larger than the disk has room for.
    """
    try:
        with tarfile.open(archive) as tar:
            members = _checked(tar, archive)
            folder.mkdir(parents=True, exist_ok=True)
            _check_room(archive, sum(member.size for member in members), folder)
            for member in members:
                _extract(tar, member, folder)
    except FileNotFoundError:
        raise ArtifactError(f"{archive} is not there") from None
    except (tarfile.TarError, OSError, EOFError, zlib.error, lzma.LZMAError) as error:
        said = str(error).partition("\n")[0]
        raise ArtifactError(f"{archive} is not a safe tar archive: {said}") from error


def _checked(tar: tarfile.TarFile, archive: Path) -> list[tarfile.TarInfo]:
    """The members of an archive, each a plain file or folder below its root."""
    members = []
    for member in tar:
        path = PurePosixPath(member.name)
        if not (member.isreg() or member.isdir()):
            raise ArtifactError(
                f"{archive} is not safe: {member.name!r} is a link or a device; "
                "pack plain files and folders"
            )
        if path.is_absolute() or ".." in path.parts or "\\" in member.name:
            raise ArtifactError(f"{archive} is not safe: {member.name!r} leads out of its folder")
        members.append(member)
        if len(members) > MOST_MEMBERS:
            raise ArtifactError(f"{archive} holds more than {MOST_MEMBERS:,} files")
    return members


def _check_room(archive: Path, size: int, folder: Path) -> None:
    free = shutil.disk_usage(folder).free
    if size > free:
        raise ArtifactError(f"{archive} unpacks to {size:,} bytes; the disk has {free:,} left")


def _extract(tar: tarfile.TarFile, member: tarfile.TarInfo, folder: Path) -> None:
    path = folder / member.name
    if member.isdir():
        path.mkdir(parents=True, exist_ok=True)
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    path.unlink(missing_ok=True)  # never written through a link that lies there
    source = tar.extractfile(member)
    if source is None:
        raise ArtifactError(f"{member.name!r} cannot be read")
    with source, path.open("xb") as stream:
        shutil.copyfileobj(source, stream)


def pack(folder: Path, archive: Path) -> None:
    """Make model.tar.gz of a model folder: the same bytes for the same files.

    Of a link, the file behind it is packed.
    """
    archive.parent.mkdir(parents=True, exist_ok=True)
    with (
        archive.open("wb") as raw,
        gzip.GzipFile(fileobj=raw, mode="wb", filename="", mtime=0, compresslevel=6) as packed,
        tarfile.open(fileobj=packed, mode="w", format=tarfile.PAX_FORMAT, dereference=True) as tar,
    ):
        for path in sorted(folder.rglob("*")):
            tar.add(path, path.relative_to(folder).as_posix(), recursive=False, filter=_plain)


def _plain(member: tarfile.TarInfo) -> tarfile.TarInfo:
    member.uid = member.gid = member.mtime = 0
    member.uname = member.gname = ""
    member.mode = 0o755 if member.isdir() else 0o644
    return member
