"""What the tests of whole studies share."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from if_circuits.cli import main as cli
from if_circuits.study import closing
from tests.pictures import small_png
from tests.study.miniature import command


@pytest.fixture(scope="session", autouse=True)
def small_pictures() -> Iterator[None]:
    """Pictures of all studies, from the first of these tests on, so that they can be compared."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(closing, "png_bytes", small_png)
        yield


@pytest.fixture(scope="session")
def finished(
    checkpoint: Callable[[str], Path], tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, Path]:
    """The model's directory and that of its study, run once. Copy the study before altering it."""
    out = tmp_path_factory.mktemp("studies") / "study"
    assert cli.main(command(checkpoint("llama"), out)) == 0
    return checkpoint("llama"), out
