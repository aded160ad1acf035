"""How language models follow instructions: probes, erasure and ablation on TransformerLens models.

All that a script needs is here and is imported on first use; the folders are for those who extend it.

    import if_circuits as ifc

    model = ifc.load_model("if-tiny")
    rows = ifc.respond(model, ifc.prompts("json_format", n=100))
    acts = ifc.capture(model, rows, layers="all")
    print(ifc.probe(acts, positions=["prompt_end", "last"]))
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from if_circuits.version import __version__ as __version__

if TYPE_CHECKING:
    from if_circuits.activations.capture import capture
    from if_circuits.activations.donors import record_donor
    from if_circuits.activations.interchange import interchange
    from if_circuits.activations.interchange_pairs import interchange_pairs
    from if_circuits.analyses.base import AnalysisSettings
    from if_circuits.analyses.decodability.analysis import probe
    from if_circuits.erasure.base import erasure_method
    from if_circuits.erasure.das import fit_das
    from if_circuits.erasure.difference_in_means import DifferenceInMeans
    from if_circuits.erasure.inlp import Inlp
    from if_circuits.erasure.leace import Leace
    from if_circuits.erasure.logistic_direction import LogisticDirection
    from if_circuits.erasure.random_subspace import random_subspace
    from if_circuits.errors import InputError
    from if_circuits.generation.in_step import interchange_answers
    from if_circuits.generation.respond import respond
    from if_circuits.interventions.control_vector import save_control_vector
    from if_circuits.interventions.hooks import Intervention, intervene
    from if_circuits.interventions.interchange import Interchange
    from if_circuits.interventions.operations import Add, Erase, MeanReplace, ProjectOut, Zero
    from if_circuits.interventions.patching import PatchFrom
    from if_circuits.interventions.saved import load_direction
    from if_circuits.interventions.scope import Scope
    from if_circuits.interventions.subspace import Subspace
    from if_circuits.models.loading import load_model
    from if_circuits.models.presets import preset
    from if_circuits.monitor.notebook import show, token_probes
    from if_circuits.probes.base import probe_method
    from if_circuits.probes.evaluate import out_of_fold
    from if_circuits.similarity.angles import subspace_overlap
    from if_circuits.similarity.compare import compare_all
    from if_circuits.similarity.halves import pair_halves
    from if_circuits.statistics.auroc import auroc
    from if_circuits.statistics.bootstrap import cluster_bootstrap
    from if_circuits.study.comparison import compare
    from if_circuits.study.config import StudyConfig
    from if_circuits.study.study import Study
    from if_circuits.tasks.judges.registry import judge
    from if_circuits.tasks.labels import Label
    from if_circuits.tasks.prompts import prompts
    from if_circuits.tasks.registry import task
    from if_circuits.tasks.verification import verify

__all__ = [
    "Add",
    "AnalysisSettings",
    "DifferenceInMeans",
    "Erase",
    "Inlp",
    "InputError",
    "Interchange",
    "Intervention",
    "Label",
    "Leace",
    "LogisticDirection",
    "MeanReplace",
    "PatchFrom",
    "ProjectOut",
    "Scope",
    "Study",
    "StudyConfig",
    "Subspace",
    "Zero",
    "auroc",
    "capture",
    "cluster_bootstrap",
    "compare",
    "compare_all",
    "erasure_method",
    "fit_das",
    "interchange",
    "interchange_answers",
    "interchange_pairs",
    "intervene",
    "judge",
    "load_direction",
    "load_model",
    "out_of_fold",
    "pair_halves",
    "preset",
    "probe",
    "probe_method",
    "prompts",
    "random_subspace",
    "record_donor",
    "respond",
    "save_control_vector",
    "show",
    "subspace_overlap",
    "task",
    "token_probes",
    "verify",
]

_HOMES = {
    "activations.capture": ("capture",),
    "activations.donors": ("record_donor",),
    "activations.interchange": ("interchange",),
    "activations.interchange_pairs": ("interchange_pairs",),
    "analyses.base": ("AnalysisSettings",),
    "analyses.decodability.analysis": ("probe",),
    "erasure.das": ("fit_das",),
    "erasure.difference_in_means": ("DifferenceInMeans",),
    "erasure.inlp": ("Inlp",),
    "erasure.leace": ("Leace",),
    "erasure.logistic_direction": ("LogisticDirection",),
    "erasure.random_subspace": ("random_subspace",),
    "erasure.base": ("erasure_method",),
    "errors": ("InputError",),
    "generation.in_step": ("interchange_answers",),
    "generation.respond": ("respond",),
    "interventions.control_vector": ("save_control_vector",),
    "interventions.hooks": ("Intervention", "intervene"),
    "interventions.interchange": ("Interchange",),
    "interventions.operations": ("Add", "Erase", "MeanReplace", "ProjectOut", "Zero"),
    "interventions.patching": ("PatchFrom",),
    "interventions.saved": ("load_direction",),
    "interventions.scope": ("Scope",),
    "interventions.subspace": ("Subspace",),
    "models.loading": ("load_model",),
    "models.presets": ("preset",),
    "monitor.notebook": ("show", "token_probes"),
    "probes.base": ("probe_method",),
    "probes.evaluate": ("out_of_fold",),
    "statistics.auroc": ("auroc",),
    "similarity.angles": ("subspace_overlap",),
    "similarity.compare": ("compare_all",),
    "similarity.halves": ("pair_halves",),
    "statistics.bootstrap": ("cluster_bootstrap",),
    "study.comparison": ("compare",),
    "study.config": ("StudyConfig",),
    "study.study": ("Study",),
    "tasks.judges.registry": ("judge",),
    "tasks.labels": ("Label",),
    "tasks.prompts": ("prompts",),
    "tasks.registry": ("task",),
    "tasks.verification": ("verify",),
}
"""Where each name is defined; `__getattr__` imports it from there when it is first asked for."""


def __getattr__(name: str) -> Any:
    """Import on first use, because the modules behind most names import torch."""
    for module, names in _HOMES.items():
        if name in names:
            value = getattr(import_module(f"if_circuits.{module}"), name)
            globals()[name] = value
            return value
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    """The public names, imported or not."""
    return sorted([*globals(), *__all__])
