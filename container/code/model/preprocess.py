"""Your own derived columns: the functions that `op: python` in project.yml names.

A function takes one array a column, shape (rows,): float64 with NaN for a missing number, or
objects (str or None) for a category or a time. It returns one float64 number a row. Training
and serving call the very same function, so it must look at one row at a time: no mean over the
rows, no sorting, no state.
"""

import numpy as np
from numpy.typing import NDArray

Numbers = NDArray[np.float64]


def shell_volume(length: Numbers, diameter: Numbers, height: Numbers) -> Numbers:
    """Volume of the ellipsoid that an abalone's shell resembles, in the cube of its unit."""
    return np.pi / 6 * length * diameter * height
