"""Plant a direction that gates every task in a small model of your own, run the study on it, and compare.

    python examples/plant_a_mechanism.py [MODEL] [STEPS] [BASE_QUERIES]

MODEL is a directory with a Llama of four blocks or more that follows this library's prompts, by default the
embedded if-tiny. The 1,800 steps of the shipped models take 11 to 15 minutes of a CPU thread; after a hundred
the study finds little.
"""

import sys
import tempfile
from dataclasses import replace
from pathlib import Path

import if_circuits as ifc
from if_circuits.analyses.validation.known_answers.answers import compare
from if_circuits.analyses.validation.known_answers.directions import planted_cosines
from if_circuits.models.presets import IF_TINY, register_preset
from if_circuits.planting.mechanism import load_mechanism
from if_circuits.planting.train import PlantingRecipe, train_planted

base, steps, n = (sys.argv[1:] + ["if-tiny", PlantingRecipe.steps, "60"][len(sys.argv) - 1 :])[:3]
with tempfile.TemporaryDirectory() as folder:
    planted = Path(folder) / "planted"
    train_planted(PlantingRecipe("universal", base=base, steps=int(steps)), planted)
    register_preset(replace(IF_TINY, name="planted", source=str(planted), bundled=False))
    analyses = ("cross_task_transfer", "representational_similarity", "specificity")
    config = ifc.StudyConfig(model="planted", n_base_queries=int(n), greedy=False, analyses=analyses)
    study, mechanism = ifc.Study.run(config, Path(folder) / "study"), load_mechanism(planted)
    cosines = planted_cosines(study.activations, mechanism, seed=0)
    answers = compare(study.results, cosines, mechanism, alpha=0.05)
    print(study.compliance[["task", "constrained", "unconstrained", "n"]].round(2).to_string(index=False))
    print(answers.drop(columns="n").round(2).to_string(index=False))
