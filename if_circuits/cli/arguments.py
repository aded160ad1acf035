"""Arguments that several commands take, and how their values are read."""

import argparse
import math
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from if_circuits.engine.base import Engine
from if_circuits.engine.choice import ENGINES, open_engine
from if_circuits.io.remote import path_of, url_of
from if_circuits.models.devices import DEVICE_MAPS

_N = TypeVar("_N", int, float)

MODEL_HELP = (
    "a preset (see `if-circuits models`), a local directory, a GGUF file, or a name on the Hugging Face hub"
)


def add_generation_options(parser: argparse.ArgumentParser) -> None:
    """Length and sampling of a response, device and precision."""
    parser.add_argument("--max-new-tokens", metavar="N", type=count, help="default: the preset's")
    parser.add_argument(
        "--top-p",
        metavar="P",
        type=top_p,
        help="sample from the likeliest tokens that together have this probability (default: the preset's, "
        "or what the checkpoint says, else 1)",
    )
    add_device_options(parser)


def add_device_options(parser: argparse.ArgumentParser) -> None:
    """Device, the choice of it, and precision."""
    parser.add_argument(
        "--device", metavar="NAME", default="cpu", help="cpu, cuda, cuda:1, mps (default: cpu)"
    )
    parser.add_argument(
        "--device-map",
        choices=DEVICE_MAPS,
        help="have accelerate choose the device by what is free; it must hold the whole model",
    )
    parser.add_argument(
        "--dtype", choices=("float32", "bfloat16", "float16"), help="default: the preset's, else float32"
    )


def add_engine_options(parser: argparse.ArgumentParser, *, units: str) -> None:
    """How many units of work at a time, and where they are carried out."""
    parser.add_argument(
        "--workers", metavar="N", type=count, default=1, help=f"{units} at a time (default: %(default)s)"
    )
    parser.add_argument(
        "--engine",
        choices=ENGINES,
        default="local",
        help="where: processes of this machine, or Ray, from the extra [ray] (default: %(default)s)",
    )
    parser.add_argument(
        "--address", metavar="NAME", help="of a running Ray cluster (default: one that is started here)"
    )


def engine_of(arguments: argparse.Namespace) -> Engine:
    """The engine that the options ask for."""
    return open_engine(arguments.engine, workers=arguments.workers, address=arguments.address)


def study_place(text: str) -> str | Path:
    """Where a study lies: a directory, or a URL, which no Path holds."""
    return text if url_of(text) else path_of(text)


def own_directory(text: str) -> Path:
    """A directory of this machine, where a URL would not do."""
    if url_of(text):
        raise argparse.ArgumentTypeError(f"{text} is a URL; expected a directory of this machine")
    return path_of(text)


def count(text: str) -> int:
    """A whole number of 1 or more."""
    return _number(text, int, lambda value: value >= 1, "a whole number of 1 or more")


def seed(text: str) -> int:
    """A seed that every generator takes."""
    return _number(text, int, lambda value: 0 <= value < 2**32, "a whole number from 0 to 4294967295")


def positive(text: str) -> float:
    """A finite number above 0."""
    return _number(text, float, lambda value: value > 0 and math.isfinite(value), "a number above 0")


def temperature(text: str) -> float:
    """A temperature at which samples differ."""
    return positive(text)


def top_p(text: str) -> float:
    """A probability above 0."""
    return _number(text, float, lambda value: 0 < value <= 1, "a number above 0 and at most 1")


def _number(text: str, kind: type[_N], accepts: Callable[[_N], bool], expected: str) -> _N:
    try:
        value = kind(text)
    except ValueError:
        value = None
    if value is None or not accepts(value):
        raise argparse.ArgumentTypeError(f"{text!r} is not {expected}")
    return value
