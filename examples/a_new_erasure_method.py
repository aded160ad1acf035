"""An erasure method of your own: the one coordinate on which the classes differ most, set to its mean.

In a basis that nobody chose it is not enough: a probe reads the rest from the other coordinates. A package
offers it as an entry point of the group `if_circuits.erasure_methods`; then `--erasure coordinate` finds it.
"""

import numpy as np

import if_circuits as ifc
from if_circuits.analyses.validation.simulation.studies import PlantedTruth, simulate
from if_circuits.erasure.base import erasure_methods
from if_circuits.probes.lda import fit_lda
from if_circuits.tasks.labels import is_satisfied


@ifc.erasure_method("coordinate")
def coordinate(X, y):
    difference = np.abs(X[y].mean(axis=0) - X[~y].mean(axis=0))
    return np.eye(X.shape[1])[difference.argmax()]


study = simulate(PlantedTruth(signal=3.0, n_base_queries=200))
rows = ((study.responses["task"] == "topic") & study.responses["constrained"]).to_numpy()
X, y = study.features(2, "last")[rows], is_satisfied(study.responses)[rows]
queries = study.responses["base_query"].to_numpy()[rows]
train = np.isin(queries, np.unique(queries)[::2])
print(f"LDA on {len(np.unique(queries[~train]))} unseen base queries ({(~train).sum()} responses), AUROC")
print(f"nothing erased    {ifc.auroc(y[~train], fit_lda(X[train], y[train]).scores(X[~train])):.2f}")
for name in erasure_methods.names():
    erasure = erasure_methods.get(name)().fit(X[train], y[train], groups=queries[train], seed=0)
    probe = fit_lda(erasure.remove(X[train]), y[train])
    print(f"{name:17} {ifc.auroc(y[~train], probe.scores(erasure.remove(X[~train]))):.2f}")
