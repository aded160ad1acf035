"""The measurement of a GPU, tried out on one block on the processor."""

import json
from pathlib import Path

import pytest

from tests.benchmarks import gpu, gpu_page


@pytest.mark.slow
def test_every_stage_is_measured_and_stands_on_the_page(tmp_path: Path) -> None:
    tried = ["--device", "cpu", "--blocks", "1", "--rows", "2", "3", "--tokens", "2", "--repeats", "1"]
    gpu.main([*tried, "--models", "smollm2-135m", "--out", str(tmp_path)])
    stages = json.loads((tmp_path / "gpu.json").read_text("utf-8"))["stages"]
    wanted = ["Hugging Face generate", "responses", "responses, sampled", "responses under a removal"]
    assert sorted((stage["rows"], stage["stage"]) for stage in stages) == sorted(
        (rows, stage) for rows in (2, 3) for stage in [*wanted, "activations"]
    )
    assert all(stage["tokens"] == 2 * stage["rows"] for stage in stages if stage["stage"] in wanted)
    assert all(stage["seconds"][0] > 0 and stage["tflop"] > 0 for stage in stages)
    page = tmp_path / "page.md"
    page.write_text("before\n<!-- gpu: start -->\n<!-- gpu: end -->\nafter\n", "utf-8")
    gpu_page.main([str(tmp_path), str(page)])
    assert page.read_text("utf-8").count("| smollm2-135m, float32 | 3 |") == len(wanted) + 1
