from typing import Any

import torch

from if_circuits.doctor import residuals
from if_circuits.models.loading import LoadedModel


def test_another_residual_stream_than_hugging_faces_fails(llama: LoadedModel, monkeypatch: Any) -> None:
    def altered(model: LoadedModel) -> Any:
        plain = load(model)
        with torch.no_grad():
            plain.model.layers[1].mlp.down_proj.weight.mul_(1.01)
        return plain

    load = residuals.load_plain
    monkeypatch.setattr(residuals, "load_plain", altered)
    check = residuals.check_residuals(llama)
    assert check.status == "fail"
    assert check.detail.startswith(("layer 1 ", "layer 2 ", "layer logits "))
