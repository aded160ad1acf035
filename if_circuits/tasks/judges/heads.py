"""Linear heads on text features, and the zone of scores in which a judge does not decide.

The shipped heads lie in `if_circuits/assets/judges` as safetensors, each beside a JSON file that says what it
was fitted on, under which licence, by which protocol, and what was measured. `fitting` makes them.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from importlib import resources
from typing import Any

import numpy as np
from jaxtyping import Float

from if_circuits.io.digest import value_sha256
from if_circuits.tasks.judges.encoder import WEIGHTS_SHA256


@dataclass(frozen=True)
class Zone:
    """Scores from `low` to `high`, both included, are undecided."""

    low: float
    high: float

    def side(self, score: float) -> int:
        """1 above the zone, -1 below it, 0 inside."""
        return int(score > self.high) - int(score < self.low)


@dataclass(frozen=True)
class Head:
    """A score of features, `features @ weight + bias`, and where it decides."""

    weight: Float[np.ndarray, " features"]
    bias: float
    zone: Zone

    def score(self, features: Float[np.ndarray, "texts features"]) -> Float[np.ndarray, " texts"]:
        return features @ self.weight + self.bias


def load_head(what: str) -> Head:
    """The shipped head that judges `what`."""
    from safetensors.numpy import load

    tensors = load(asset(f"{what}.safetensors"))
    zone = head_record(what)["zone"]
    return Head(
        tensors["weight"].astype(np.float64), float(tensors["bias"][0]), Zone(zone["low"], zone["high"])
    )


def head_record(what: str) -> dict[str, Any]:
    """What is known of the shipped head: source, licence, attribution, protocol, scores."""
    return json.loads(asset(f"{what}.json"))


def asset(name: str) -> bytes:
    """The contents of a file that ships with the judges."""
    return resources.files("if_circuits").joinpath("assets", "judges", name).read_bytes()


def files_digest(*names: str) -> str:
    """Digest of these files and of the encoder's weights, which must be `WEIGHTS_SHA256` to be loaded."""
    return value_sha256([WEIGHTS_SHA256, *(hashlib.sha256(asset(name)).hexdigest() for name in names)])
