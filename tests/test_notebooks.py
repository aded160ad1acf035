"""The notebooks, run from their first cell to their last, and the outputs that they are kept with."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import nbformat
import pytest
from jupyter_client.manager import AsyncKernelManager
from nbclient import NotebookClient

NOTEBOOKS = sorted((Path(__file__).parents[1] / "examples").glob("*.ipynb"))


def code_cells(path: Path) -> list[Any]:
    notebook: Any = nbformat.read(path, as_version=4)
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


@pytest.mark.slow
@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_runs_and_shows_what_it_is_kept_with(
    path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    notebook: Any = nbformat.read(path, as_version=4)
    # Unix sockets, the only ones that tests may open.
    manager = AsyncKernelManager(kernel_name="python3", transport="ipc", ip=str(tmp_path / "kernel"))
    NotebookClient(
        notebook, km=manager, timeout=600, resources={"metadata": {"path": str(tmp_path)}}
    ).execute()
    fresh = [cell for cell in notebook.cells if cell.cell_type == "code"]
    for kept, ran in zip(code_cells(path), fresh, strict=True):
        assert kinds(kept) == kinds(ran), kept.source


def kinds(cell: Any) -> list[str]:
    """What kind of thing each output is; the progress of long calls, on standard error, is none.

    Lines printed one after another are one output: whether the kernel sends them in one message or in
    several depends on how long the cell took between them.
    """
    each = [
        "text" if output.output_type == "stream" else ", ".join(sorted(output.data))
        for output in cell.outputs
        if output.get("name") != "stderr"
    ]
    return [kind for at, kind in enumerate(each) if kind != "text" or each[at - 1 : at] != ["text"]]


def test_lines_printed_in_several_messages_are_one_output():
    def cell(*texts: str) -> Any:
        outputs = [nbformat.v4.new_output("stream", name="stdout", text=text) for text in texts]
        picture = nbformat.v4.new_output("display_data", data={"image/png": "-"})
        return nbformat.v4.new_code_cell(outputs=[*outputs, picture, outputs[0]])

    assert kinds(cell("one\n", "two\n")) == kinds(cell("one\ntwo\n")) == ["text", "image/png", "text"]


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_is_kept_with_its_outputs_in_order_and_no_path_of_a_machine(path: Path):
    cells = code_cells(path)
    assert [cell.execution_count for cell in cells] == list(range(1, len(cells) + 1))
    assert all(output.output_type != "error" for cell in cells for output in cell.outputs)
    assert any("image/png" in str(output) for cell in cells for output in cell.outputs)
    for place in ("/tmp/", "/home/", "/root/"):
        assert place not in path.read_text()


def test_first_look_shows_that_a_direction_read_at_the_end_takes_the_end_away():
    shown = {
        name: float(value)
        for cell in code_cells(NOTEBOOKS[0])
        for output in cell.outputs
        for line in output.get("data", {}).get("text/plain", "").splitlines()
        if (name := line.rpartition("  ")[0].strip())
        in ("intact", "read at the last token", "random direction")
        for value in [line.rpartition(" ")[2]]
        if value.replace(".", "").isdigit()
    }
    assert shown["intact"] > 0.8
    assert shown["random direction"] > 0.8
    assert shown["read at the last token"] < shown["intact"] - 0.3
