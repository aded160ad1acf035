"""One quick look at the Hugging Face hub, before loaders that try again for minutes."""

from __future__ import annotations

from difflib import get_close_matches

from if_circuits.errors import InputError
from if_circuits.models.presets import presets

_SECONDS = 5
"""How long to wait for an answer."""


class UnknownModel(InputError):
    """No preset, no directory, not in the local cache, and not to be had from the hub."""


def check_on_hub(name: str, *, source: str) -> None:
    """Look for a hub name in the local cache, then ask the hub once, unless HF_HUB_OFFLINE forbids it.

    Raises UnknownModel, with the nearest presets, where that says that there is nothing to load.
    """
    from huggingface_hub import constants, get_hf_file_metadata, hf_hub_url, try_to_load_from_cache
    from huggingface_hub.errors import (
        EntryNotFoundError,
        GatedRepoError,
        HFValidationError,
        RepositoryNotFoundError,
    )

    try:
        if isinstance(try_to_load_from_cache(source, "config.json"), str):
            return
        if constants.HF_HUB_OFFLINE:
            raise _unknown(name, "it is not in the local cache, and HF_HUB_OFFLINE forbids to ask the hub")
        get_hf_file_metadata(hf_hub_url(source, "config.json"), timeout=_SECONDS)
    except (EntryNotFoundError, GatedRepoError):
        return  # the model is there: the loaders say best what it lacks
    except RepositoryNotFoundError as error:
        raise _unknown(name, "the Hugging Face hub has no model of that name") from error
    except HFValidationError as error:
        raise _unknown(name, "it is no name that the Hugging Face hub could know") from error
    except InputError:
        raise
    except Exception as error:  # of the network, whatever carries it
        cause = next((line for line in str(error).splitlines() if line.strip()), type(error).__name__)
        raise _unknown(
            name, f"it is not in the local cache, and the hub cannot be asked ({cause})"
        ) from error


def _unknown(name: str, cause: str) -> UnknownModel:
    near = get_close_matches(name.rsplit("/", 1)[-1].lower(), presets.names(), n=3, cutoff=0.4)
    known = (
        f"the nearest presets are {', '.join(near)}" if near else f"presets are {', '.join(presets.names())}"
    )
    return UnknownModel(
        f"model {name!r} cannot be loaded: {cause}; check the name and the network, or give a local "
        f"directory; {known}"
    )
