"""A small world for the channels of a training job: loans, paid back or not."""

from __future__ import annotations

import pytest

from canarywood.contract import Layout
from canarywood.errors import DataError
from canarywood.schema.definition import Column, Schema, Target
from canarywood.training.channels import Channels, read, read_schema
from canarywood.training.hyperparameters import check
from canarywood.training.sources import Sources

SCHEMA = Schema(
    name="loans",
    target=Target("paid", "binary", classes=("no", "yes")),
    inputs=(Column("age"), Column("home", "category", ("own", "rent"))),
    features=("age", "home"),
    weight="share",
)


def put(layout: Layout, text: str, channel: str = "train", name: str = "a.csv") -> None:
    layout.channel(channel).mkdir(parents=True, exist_ok=True)
    (layout.channel(channel) / name).write_text(text)


def read_all(layout: Layout, **hyperparameters: str) -> Channels:
    schema = read_schema(layout)
    given = check(hyperparameters, schema.target if schema else None)
    with Sources(layout, pipe_wait_s=5) as sources:
        return read(sources, given, schema)


def fault(layout: Layout, **hyperparameters: str) -> str:
    with pytest.raises(DataError) as caught:
        read_all(layout, **hyperparameters)
    return str(caught.value)
