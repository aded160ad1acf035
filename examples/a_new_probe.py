"""A probe of your own: the one coordinate that tells the classes apart best, beside probes that read all.

The planted direction lies askew, as in any basis that nobody chose, so one coordinate tells less. A package
offers its probes as entry points of the group `if_circuits.probes`.
"""

import numpy as np

import if_circuits as ifc
from if_circuits.analyses.validation.simulation.studies import PlantedTruth, simulate
from if_circuits.probes.base import probes
from if_circuits.probes.evaluate import out_of_fold_by
from if_circuits.tasks.labels import is_satisfied


@ifc.probe_method("coordinate")
def coordinate(X, y):
    difference = (X[y].mean(axis=0) - X[~y].mean(axis=0)) / X.std(axis=0)
    return difference * (np.abs(difference) == np.abs(difference).max())


study = simulate(PlantedTruth(signal=2.0, n_base_queries=150))
rows = ((study.responses["task"] == "topic") & study.responses["constrained"]).to_numpy()
X, y = study.features(2, "last")[rows], is_satisfied(study.responses)[rows]
queries = study.responses["base_query"].to_numpy()[rows]
for name in probes.names():
    found = out_of_fold_by(probes.get(name), X, y, queries, n_folds=5, seed=0)
    print(f"{name:15} AUROC {found.auroc:.2f} (n = {found.n} responses, n/d = {found.n_over_d:.0f})")
