import torch
from transformers import DynamicCache

from if_circuits.generation.cache import make_cache
from if_circuits.models.loading import LoadedModel


def test_gives_what_the_growing_cache_gives_through_steps_copies_and_departures(model: LoadedModel) -> None:
    """Prompt, two steps, then rows 1, 1, 0 of the batch, then another step."""
    config = model.hf.config
    laid_out, growing = make_cache(config, 32), DynamicCache(config=config)
    generator = torch.Generator().manual_seed(0)
    batch = 2
    for length, rows in ((20, None), (1, None), (1, torch.tensor([1, 1, 0])), (1, None)):
        for layer in range(model.n_layers):
            keys, values = torch.randn(2, batch, 2, length, 8, generator=generator)
            seen, expected = laid_out.update(keys, values, layer), growing.update(keys, values, layer)
            assert all(torch.equal(a, b) for a, b in zip(seen, expected, strict=True))
        assert laid_out.get_seq_length() == growing.get_seq_length()
        if rows is not None:
            laid_out.batch_select_indices(rows)
            growing.batch_select_indices(rows)
            batch = len(rows)


def test_full_attention_grows_without_moving(llama: LoadedModel) -> None:
    cache = make_cache(llama.hf.config, 8)
    addresses = {
        cache.update(torch.zeros(1, 2, 1, 8), torch.zeros(1, 2, 1, 8), 0)[0].data_ptr() for _ in range(8)
    }
    assert len(addresses) == 1
