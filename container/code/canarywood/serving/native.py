"""XGBoost's C library, called directly: load a booster, predict dense rows.

The xgboost package is not imported: with it come scipy and, where they are installed, pandas and
scikit-learn, which cost a worker most of its memory and its start. The C call alone also answers
one row in a third of the time, since nothing of Python's wrapper is set up per call.

Nothing in the C library validates its input: width and type are checked here, and a test holds
every prediction bit-equal to `xgboost.Booster.predict`. C API: xgboost/c_api.h.
"""

from __future__ import annotations

import ctypes
import importlib.util
import json
import re
import threading
from enum import IntEnum
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from canarywood.errors import ArtifactError

SUPPORTED = ((3, 0), (4, 0))  # from, below: the C API that this module was tested with

# As bytes on the wire of the C API; the two integers are the range of rounds.
_CONFIG = (
    b'{"type":%d,"training":false,"iteration_begin":0,"iteration_end":%d,'
    b'"missing":NaN,"strict_shape":false,"cache_id":0}'
)
_ARRAY = b'{"data":[%d,true],"shape":[%d,%d],"strides":null,"typestr":"<f4","version":3}'


class Kind(IntEnum):
    """What is predicted, by XGBoost's own numbers."""

    VALUE = 0
    MARGIN = 1
    CONTRIBUTIONS = 2  # SHAP: of each feature and of the bias to the margin
    LEAVES = 6  # of each tree: the number of the leaf that the row falls into

    __hash__ = int.__hash__  # the one of enumerations is written in Python, and slow


_IN_PLACE = (Kind.VALUE, Kind.MARGIN)  # of these alone there is a short way

_Handle = ctypes.c_void_p
_Strings = ctypes.POINTER(ctypes.c_char_p)


class NativeBooster:
    """A booster behind the C API. Thread-safe; made before a fork, it works in the children.

    Attributes:
        features: number of columns of a row.
        objective: XGBoost's name of it, e.g. `binary:logistic`.
        names, types: of the features, as stored in the model; empty where it stores none.
        rounds: boosting rounds that a prediction uses.
    """

    def __init__(self, path: Path) -> None:
        """Load a UBJSON or JSON model file.

        Raises:
            ArtifactError: unreadable, or written by a newer XGBoost than this one.
        """
        content = path.read_bytes()
        if content[:1] != b"{":  # the library aborts the process on an empty buffer
            raise ArtifactError(
                f"{path} is not an XGBoost model (UBJSON or JSON); where it may be opened, "
                "`python -m ops convert` makes one of pickles and of older formats"
            )
        _refuse_newer(path, content)
        self._library = library()
        self._handle = _Handle()
        self._call("XGBoosterCreate", None, ctypes.c_uint64(0), ctypes.byref(self._handle))
        try:
            self._call(
                "XGBoosterLoadModelFromBuffer",
                self._handle,
                ctypes.c_char_p(content),
                ctypes.c_uint64(len(content)),
            )
        except NativeError as error:
            raise ArtifactError(
                f"{path} is not an XGBoost model (UBJSON or JSON): {error}"
            ) from error
        # One thread: workers are the parallelism, and a second OpenMP thread here would make
        # the children of a fork hang.
        self._call("XGBoosterSetParam", self._handle, b"nthread", b"1")
        self.features = self._number_of_features()
        config = self._config()
        self.objective = str(config["learner"]["objective"]["name"])
        self.names = self._feature_info(b"feature_name")
        self.types = self._feature_info(b"feature_type")
        self.best_iteration = self._best_iteration(path)
        self.rounds = 0 if self.best_iteration is None else self.best_iteration + 1
        self._configs = {kind: ctypes.c_char_p(_CONFIG % (kind, self.rounds)) for kind in Kind}
        self._local = threading.local()
        self._is_gbtree = config["learner"]["gradient_booster"]["name"] == "gbtree"

    def predict(self, rows: NDArray[np.float32], kind: Kind = Kind.VALUE) -> NDArray[np.float32]:
        """Predictions of a C-contiguous float32 matrix (rows, features), NaN = missing.

        Returns:
            Values and margins: (rows,), or (rows, outputs) where the objective has several a row.
            Contributions: (rows, features + 1) or (rows, outputs, features + 1), the bias last.
            Leaves: (rows, trees).

        Raises:
            NativeError: the booster has none of this kind.
        """
        if rows.dtype != np.float32 or rows.ndim != 2 or rows.shape[1] != self.features:
            raise ValueError(
                f"float32 (rows, {self.features}) needed, not {rows.dtype} {rows.shape}"
            )
        rows = np.ascontiguousarray(rows)
        outputs = self._outputs()
        array = _ARRAY % (rows.ctypes.data, rows.shape[0], rows.shape[1])
        is_short = kind in _IN_PLACE
        predict = self._in_place if is_short and self._is_gbtree else self._from_matrix
        if predict(array, self._configs[kind], outputs):
            raise NativeError(_last_error(self._library))
        shape = outputs.shape[: outputs.dimensions.value]
        # The buffer belongs to the library and is overwritten by the next call: copy at once.
        size = 4 * int(np.prod(shape))
        result = np.frombuffer(ctypes.string_at(outputs.values, size), dtype=np.float32)
        if is_short and (len(shape) < 2 or shape[1] <= 1):
            return result
        return result.reshape(shape)

    def _in_place(self, array: bytes, options: ctypes.c_char_p, outputs: _Outputs) -> int:
        return int(
            self._library.XGBoosterPredictFromDense(
                self._handle, array, options, outputs.proxy, *outputs.pointers
            )
        )

    def _from_matrix(self, array: bytes, options: ctypes.c_char_p, outputs: _Outputs) -> int:
        """The way of the boosters, and of the kinds, that cannot be predicted in place.

        gblinear refuses it; dart sums its weighted trees in another order there, so that the
        last bit of a prediction differs from `Booster.predict`.
        """
        matrix = _Handle()
        form = b'{"missing":NaN,"nthread":1}'
        failed = self._library.XGDMatrixCreateFromDense(array, form, ctypes.byref(matrix))
        if not failed:
            failed = self._library.XGBoosterPredictFromDMatrix(
                self._handle, matrix, options, *outputs.pointers
            )
            self._library.XGDMatrixFree(matrix)
        return int(failed)

    def _outputs(self) -> _Outputs:
        """This thread's proxy and output pointers; they must not be shared between threads."""
        found: _Outputs | None = getattr(self._local, "outputs", None)
        if found is None:
            found = self._local.outputs = _Outputs(self._library)
        return found

    def model_json(self) -> dict[str, Any]:
        """The whole model as the JSON that save_model writes."""
        length, text = ctypes.c_uint64(), ctypes.c_char_p()
        self._call(
            "XGBoosterSaveModelToBuffer",
            self._handle,
            b'{"format":"json"}',
            ctypes.byref(length),
            ctypes.byref(text),
        )
        model: dict[str, Any] = json.loads(ctypes.string_at(text, length.value))
        return model

    def _best_iteration(self, path: Path) -> int | None:
        text = self._attribute(b"best_iteration")
        if text is not None and not text.isdecimal():
            raise ArtifactError(f"{path}: its best_iteration is {text[:40]!r}, no number")
        return None if text is None else int(text)

    def _call(self, name: str, *arguments: Any) -> None:
        if getattr(self._library, name)(*arguments):
            raise NativeError(_last_error(self._library))

    def _number_of_features(self) -> int:
        found = ctypes.c_uint64()
        self._call("XGBoosterGetNumFeature", self._handle, ctypes.byref(found))
        return int(found.value)

    def _config(self) -> dict[str, Any]:
        length, text = ctypes.c_uint64(), ctypes.c_char_p()
        self._call(
            "XGBoosterSaveJsonConfig", self._handle, ctypes.byref(length), ctypes.byref(text)
        )
        config: dict[str, Any] = json.loads(text.value or b"{}")
        return config

    def _attribute(self, name: bytes) -> str | None:
        text, there = ctypes.c_char_p(), ctypes.c_int()
        self._call("XGBoosterGetAttr", self._handle, name, ctypes.byref(text), ctypes.byref(there))
        return (text.value or b"").decode() if there.value else None

    def _feature_info(self, field: bytes) -> tuple[str, ...]:
        length, texts = ctypes.c_uint64(), _Strings()
        self._call(
            "XGBoosterGetStrFeatureInfo",
            self._handle,
            field,
            ctypes.byref(length),
            ctypes.byref(texts),
        )
        return tuple((texts[i] or b"").decode() for i in range(length.value))


class NativeError(Exception):
    """A call into the C library failed; the text is the library's first line."""


class _Outputs:
    """A proxy matrix and the three output pointers of one thread."""

    def __init__(self, found: ctypes.CDLL) -> None:
        self.proxy = _Handle()
        if found.XGProxyDMatrixCreate(ctypes.byref(self.proxy)):
            raise NativeError(_last_error(found))
        self._free = found.XGDMatrixFree
        self.shape = ctypes.POINTER(ctypes.c_uint64)()
        self.dimensions = ctypes.c_uint64()
        self.values = ctypes.POINTER(ctypes.c_float)()
        self.pointers = tuple(map(ctypes.byref, (self.shape, self.dimensions, self.values)))

    def __del__(self) -> None:
        self._free(self.proxy)


@cache
def library() -> ctypes.CDLL:
    """libxgboost.so of the installed package, loaded without importing the package."""
    spec = importlib.util.find_spec("xgboost")
    places = list(spec.submodule_search_locations or []) if spec else []
    paths = [Path(place) / "lib" / "libxgboost.so" for place in places]
    path = next((path for path in paths if path.is_file()), None)
    if path is None:
        raise ArtifactError("libxgboost.so is not there; install xgboost-cpu")
    found = ctypes.CDLL(str(path))
    found.XGBGetLastError.restype = ctypes.c_char_p
    found.XGBoosterPredictFromDense.argtypes = [
        _Handle,
        ctypes.c_char_p,
        ctypes.c_char_p,
        _Handle,
        ctypes.c_void_p,
        ctypes.c_void_p,
        ctypes.c_void_p,
    ]
    found.XGDMatrixFree.argtypes = [_Handle]
    current = version(found)
    if not SUPPORTED[0] <= current < SUPPORTED[1]:
        raise ArtifactError(f"xgboost {_dotted(current)} is not supported; install 3.2 or 3.4")
    return found


def version(found: ctypes.CDLL | None = None) -> tuple[int, int, int]:
    """Version of the C library."""
    numbers = [ctypes.c_int() for _ in range(3)]
    (found or library()).XGBoostVersion(*(ctypes.byref(number) for number in numbers))
    return numbers[0].value, numbers[1].value, numbers[2].value


def version_of(content: bytes) -> tuple[int, int, int] | None:
    """The version of XGBoost that wrote a model file (UBJSON or JSON); None where unclear."""
    tail = content[content.rfind(b"version") :]
    if match := re.match(rb'version"\s*:\s*\[(\d+),\s*(\d+),\s*(\d+)\]', tail):
        return int(match[1]), int(match[2]), int(match[3])
    # UBJSON: an array of three, each a type mark and a big-endian integer
    if match := re.match(rb"version\[#L.{7}\x03i(.)i(.)i(.)", tail, re.DOTALL):
        return match[1][0], match[2][0], match[3][0]
    return None


def _refuse_newer(path: Path, content: bytes) -> None:
    """An older XGBoost reads a newer file without a word, and answers other numbers."""
    written, running = version_of(content), version()
    if written is not None and written[:2] > running[:2]:
        raise ArtifactError(
            f"{path} was written by xgboost {_dotted(written)}, this is {_dotted(running)}, "
            "which would predict other numbers; serve it with the version that trained it"
        )


def _last_error(found: ctypes.CDLL) -> str:
    """The library's message without its stack: the first line, after its time and place."""
    text = (found.XGBGetLastError() or b"").decode(errors="replace")
    line = text.strip().splitlines()[0] if text.strip() else "unknown error"
    return re.sub(r"^\[[\d:]+\] \S+:\d+: ", "", line)


def _dotted(numbers: tuple[int, int, int]) -> str:
    return ".".join(map(str, numbers))
