"""From arrays to XGBoost's matrices: binned once for `hist`, plain for every other method."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import xgboost as xgb

from canarywood.errors import DataError, HyperparameterError
from canarywood.schema.definition import Schema
from canarywood.training.channels import Channels
from canarywood.training.rows import Rows


def build(
    channels: Channels, parameters: Mapping[str, Any], threads: int
) -> tuple[xgb.DMatrix, xgb.DMatrix | None]:
    """The matrices of `train` and `validation`; the latter binned by the former's quantiles.

    Raises:
        DataError: a name that XGBoost cannot use.
        HyperparameterError: a booster that cannot use categories.
    """
    schema = channels.schema
    _check(schema, parameters)
    if not _is_binned(parameters):
        return _matrix(channels.train, schema, threads), (
            _matrix(channels.validation, schema, threads) if channels.validation else None
        )
    bins = {"max_bin": parameters["max_bin"]} if "max_bin" in parameters else {}
    train = _matrix(channels.train, schema, threads, kind=xgb.QuantileDMatrix, **bins)
    validation = channels.validation and _matrix(
        channels.validation, schema, threads, kind=xgb.QuantileDMatrix, ref=train, **bins
    )
    return train, validation


def plain_matrix(rows: Rows, schema: Schema, threads: int = 1) -> xgb.DMatrix:
    """A matrix to predict."""
    return _matrix(rows, schema, threads)


def _is_binned(parameters: Mapping[str, Any]) -> bool:
    """Whether training works on quantile bins, so that they can be made while reading."""
    return (
        parameters.get("booster", "gbtree") != "gblinear"
        and parameters.get("tree_method", "auto") in ("auto", "hist")
        and "updater" not in parameters
        and str(parameters.get("device", "cpu")) == "cpu"
    )


def _matrix(
    rows: Rows, schema: Schema, threads: int, *, kind: type[Any] = xgb.DMatrix, **options: Any
) -> xgb.DMatrix:
    return kind(
        rows.features,
        **rows.for_matrix(),
        feature_names=list(schema.features),
        feature_types=schema.feature_types,
        enable_categorical=True,
        nthread=threads,
        **options,
    )


def _check(schema: Schema, parameters: Mapping[str, Any]) -> None:
    odd = [name for name in schema.features if set(name) & set("[]<")]
    if odd:
        raise DataError(f"column {odd[0]!r}: XGBoost takes no [, ] or < in a name; rename it")
    if "c" not in schema.feature_types:
        return
    for name, value in (("booster", "gblinear"), ("tree_method", "exact")):
        if parameters.get(name) == value:
            category = schema.features[schema.feature_types.index("c")]
            raise HyperparameterError(
                f"{name} = '{value}': cannot use categories such as {category}; leave it out"
            )
