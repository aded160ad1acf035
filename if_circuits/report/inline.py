"""Scripts, styles and data inside a page, and the policy that lets it run those and nothing else."""

from __future__ import annotations

import json
from base64 import b64encode
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256
from importlib.resources import files
from typing import Any

DRAWING = ("dom", "colours", "hover", "csv", "numberline", "cells", "align", "tokens")
"""Scripts that the report and the monitor share, in the order in which they stand in a page."""
REPORT = ("data", *DRAWING, "matrix", "cube", "curves", "forest", "evidence", "browser", "main")


@dataclass(frozen=True)
class Inlined:
    """What goes between the tags of a page, and its policy."""

    script: str
    style: str
    policy: str


def files_of(package: str, folder: str, names: Sequence[str], ending: str) -> list[str]:
    """The texts of a package's files, in the order of their names."""
    return [files(package).joinpath(folder, name + ending).read_text("utf-8") for name in names]


def inlined(scripts: Sequence[str], styles: Sequence[str], *, also: str = "") -> Inlined:
    """One script and one style sheet out of the texts of several, with the hashes that the policy names.

    `also` are further directives. Nothing that is loaded, framed, submitted or written in line may run.
    """
    script = '\n"use strict";\n{\n' + "\n".join(scripts) + "}\n"
    style = "\n" + "\n".join(styles)
    policy = (
        f"default-src 'none'; script-src '{_hash(script)}'; style-src '{_hash(style)}'; img-src data:; "
        f"base-uri 'none'; form-action 'none'{also}"
    )
    return Inlined(script, style, policy)


def island(data: Any) -> str:
    """JSON to stand inside a script element: no `<` can end it, and no character is taken for markup.

    Example:
        >>> island("</script>")
        '"\\\\u003c/script\\\\u003e"'
    """
    text = json.dumps(data, allow_nan=False, separators=(",", ":"), ensure_ascii=False)
    return text.replace("&", "\\u0026").replace("<", "\\u003c").replace(">", "\\u003e")


def _hash(text: str) -> str:
    return f"sha256-{b64encode(sha256(text.encode('utf-8')).digest()).decode('ascii')}"
