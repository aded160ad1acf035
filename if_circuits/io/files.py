"""A study's tables and JSON files, written durably: whole or not there."""

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

import pandas as pd

from if_circuits.io.durable import durable_file


def write_parquet(path: Path, table: pd.DataFrame) -> None:
    """Write a table without its index."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with durable_file(path) as partial:
        table.to_parquet(partial, index=False)


def write_json(path: Path, value: Any) -> None:
    """Write strict JSON; numbers that are not finite become null."""
    write_bytes(path, json_text(value).encode())


def json_text(value: Any) -> str:
    """Strict JSON; numbers that are not finite become null."""
    return json.dumps(_finite(value), indent=2, allow_nan=False, ensure_ascii=False) + "\n"


def write_bytes(path: Path, content: bytes) -> None:
    """Write bytes, making the folder where it is missing."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with durable_file(path) as partial:
        partial.write_bytes(content)


def _finite(value: Any) -> Any:
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {key: _finite(item) for key, item in cast(Mapping[Any, Any], value).items()}
    if isinstance(value, list | tuple):
        return [_finite(item) for item in cast(list[Any], value)]
    return value
