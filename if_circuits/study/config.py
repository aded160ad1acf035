"""What a study is asked to do: one frozen value, which is also the key of its directory."""

import json
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any, Literal, get_args

from if_circuits.activations.dtypes import StoredDtype
from if_circuits.analyses.base import ANALYSES, AnalysisSettings
from if_circuits.errors import InputError
from if_circuits.inputs import as_count, as_layers, as_names, as_number

SUITES = ("open", "controlled")
GENERATORS = ("bridge", "vllm")
STORE_DTYPES = (*get_args(StoredDtype), "model")
_COUNTS = ("n_base_queries", "prompts_per_query", "samples_per_prompt", "max_new_tokens", "batch_size")


@dataclass(frozen=True)
class StudyConfig:
    """Everything that decides what a study finds.

    Raises:
        InputError: For values that no study can have.

    Example:
        >>> import if_circuits as ifc
        >>> ifc.StudyConfig("if-tiny", tasks="json_format", layers=3).tasks
        ('json_format',)
    """

    model: str
    """A preset's name, a local directory, a GGUF file or a name on the Hugging Face hub."""
    tasks: tuple[str, ...] | None = None
    """Names of tasks; None means all."""
    n_base_queries: int = 100
    """Groups of every split and bootstrap; the same ones serve every task."""
    prompts_per_query: int = 3
    """Constrained prompts of each task and base query; each has an unconstrained twin."""
    samples_per_prompt: int = 2
    temperature: float | None = None
    """Of the sampled responses; None means the preset's, or the checkpoint's own."""
    top_p: float | None = None
    """Their tokens are among the likeliest that together have this probability; None as for `temperature`."""
    greedy: bool = True
    """Whether every constrained prompt is answered greedily as well, for the compliance table."""
    max_new_tokens: int | None = None
    """Longest response; None means the preset's."""
    batch_size: int | None = None
    """None means what the study has; in a new one the preset's, or fewer where they would not fit into the
    free memory. Changes time and memory, not what is found; so it is no part of the key.
    """
    layers: tuple[int, ...] | None = None
    """Layers to capture, -1 for the residual stream below block 0; None means all."""
    analyses: tuple[str, ...] = ANALYSES
    prompts: str | None = None
    """A file of prompts in IFEval's format that takes the place of this library's own: all of its prompts
    with an instruction that a task verifies. `n_base_queries` and `prompts_per_query` then play no part.
    """
    prompts_sha256: str | None = None
    """Hash of that file, by which studies are told apart, not by its path; read from it unless given."""
    judges: tuple[tuple[str, str], ...] = ()
    """Judges that take the place of the preset's or the defaults, as ("sentiment", "vader") or
    ("sentiment", "hf:NAME").
    """
    suite: str | None = None
    """Prompts that are asked, "open" or "controlled" (`tasks.suites`); None means the preset's."""
    seed: int = 0
    """Seed of prompts and sampling; the analyses' resampling has its own in `settings`."""
    device: str = "cpu"
    device_map: str | None = None
    """How accelerate chooses the device (`models.devices.DEVICE_MAPS`); None means `device` itself."""
    dtype: str | None = None
    """float32, bfloat16 or float16; None means the preset's."""
    store_dtype: StoredDtype | Literal["model"] | None = None
    """Type in which activations are stored: one of these, or model, that of the model's weights. None means
    the one that the study has, and float32 in a new one. Another one makes no other study: the activations
    are captured again.
    """
    generator: str = "bridge"
    """What writes the responses without interventions: bridge, the model itself, or vllm where that is
    installed (`generation.on_vllm`). All that reads or changes activations is the bridge's work."""
    settings: AnalysisSettings = field(default_factory=AnalysisSettings)

    def __post_init__(self) -> None:
        for name in _COUNTS:
            self._set(name, as_count)
        self._set("seed", lambda value, name: as_count(value, name, least=0))
        self._set("temperature", as_number)
        self._set("top_p", as_number)
        self._set("layers", as_layers)
        self._set("tasks", as_names)
        self._set("analyses", as_names)
        if self.settings.n_folds < 3:
            raise InputError(
                f"n_folds is {self.settings.n_folds}; at least 3 are needed: one fold tests a probe, and the "
                "others choose its penalty by testing each other"
            )
        if self.analyses and self.settings.n_folds > self.n_base_queries:
            raise InputError(
                f"n_folds is {self.settings.n_folds}, more than the {self.n_base_queries} base queries, "
                "which are the groups of the folds: give fewer --folds or more --base-queries"
            )
        if self.temperature is not None and not 0 < self.temperature < float("inf"):
            raise InputError(
                f"temperature is {self.temperature}; it must be above 0, since samples need both labels "
                "(the greedy pass is an option of its own)"
            )
        if self.top_p is not None and not 0 < self.top_p <= 1:
            raise InputError(
                f"top_p is {self.top_p}; it must be above 0 and at most 1, which leaves all tokens"
            )
        if self.prompts is not None and self.prompts_sha256 is None:
            from if_circuits.tasks.ifeval import prompts_digest  # heavy, and help must come at once

            object.__setattr__(self, "prompts_sha256", prompts_digest(Path(self.prompts)))
        for name in self.analyses:
            if name not in ANALYSES:
                raise InputError(f"unknown analysis {name!r}; expected one of {', '.join(ANALYSES)}")
        if self.suite not in (None, *SUITES):
            raise InputError(f"suite is {self.suite!r}; expected one of {', '.join(SUITES)}")
        if self.store_dtype not in (None, *STORE_DTYPES):
            raise InputError(
                f"store_dtype is {self.store_dtype!r}; expected one of {', '.join(STORE_DTYPES)}"
            )
        if self.generator not in GENERATORS:
            raise InputError(f"generator is {self.generator!r}; expected one of {', '.join(GENERATORS)}")
        if self.tasks is not None and not self.tasks:
            raise InputError("tasks is empty; name at least one task, or None for all")

    def _set(self, name: str, accept: Callable[[object, str], object]) -> None:
        """Take a field as the user plainly means it; None stays the default that it stands for."""
        if (value := getattr(self, name)) is not None:
            object.__setattr__(self, name, accept(value, name))

    def to_json(self) -> dict[str, Any]:
        """The configuration as JSON values."""
        return json.loads(json.dumps(asdict(self)))

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> "StudyConfig":
        """The configuration that `to_json` wrote. Raises InputError when fields are missing or unknown."""
        known = {item.name for item in fields(cls)}
        # Studies from before there was a choice do not say.
        values = {"store_dtype": "float32", "generator": "bridge", **values}
        if known != set(values):
            differing = ", ".join(sorted(known ^ set(values)))
            raise InputError(
                f"the study was made by another version of if_circuits: fields {differing} differ"
            )
        restored: dict[str, Any] = dict(values)
        for name in ("tasks", "layers", "analyses"):
            restored[name] = None if values[name] is None else tuple(values[name])
        restored["judges"] = tuple((name, judge) for name, judge in values["judges"])
        restored["settings"] = AnalysisSettings(**values["settings"])
        return cls(**restored)

    def differences(self, other: "StudyConfig") -> list[str]:
        """Fields in which two studies differ, as "seed 0 against 1"; empty when they are the same study."""
        mine, theirs = _flat(self.to_json()), _flat(other.to_json())
        return [
            f"{name} {mine[name]!r} against {theirs[name]!r}"
            for name in mine
            if name not in ("batch_size", "prompts") and mine[name] != theirs[name]
        ]


def suite_of(config: StudyConfig) -> str:
    """The suite of a study: the one that it names, or its preset's; the open one for models without."""
    from if_circuits.models.presets import ModelPreset, find_preset  # may import others' packages

    return config.suite or (find_preset(config.model) or ModelPreset(config.model, "", "")).suite


def _flat(values: Mapping[str, Any]) -> dict[str, Any]:
    nested = {f"settings.{name}": value for name, value in values["settings"].items()}
    return {**{name: value for name, value in values.items() if name != "settings"}, **nested}
