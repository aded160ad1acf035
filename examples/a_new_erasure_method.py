"""An erasure method of your own: the one coordinate on which the classes differ most, set to its mean.

In a basis that nobody chose it is not enough: a probe reads the rest from the other coordinates. Offered as
an entry point of the group `if_circuits.erasure_methods`, `--erasure coordinate` would find it.
"""

from dataclasses import dataclass

import numpy as np

from if_circuits.analyses.validation.simulation.studies import PlantedTruth, simulate
from if_circuits.erasure.base import erasure_methods
from if_circuits.interventions.subspace import Subspace
from if_circuits.probes.lda import fit_lda
from if_circuits.statistics.auroc import auroc


@erasure_methods.register("coordinate")
@dataclass(frozen=True)
class Coordinate:
    name: str = "coordinate"

    def fit(self, X, y, *, groups, seed):
        del groups, seed
        gap = np.abs(X[y].mean(axis=0) - X[~y].mean(axis=0))
        return Subspace(basis=np.eye(X.shape[1])[[gap.argmax()]], mean=X.mean(axis=0), name=self.name)


study = simulate(PlantedTruth(signal=3.0, n_base_queries=200))
rows = ((study.responses["task"] == "topic") & study.responses["constrained"]).to_numpy()
X, y = study.features(2, "last")[rows], (study.responses["verdict"] == "satisfied").to_numpy()[rows]
queries = study.responses["base_query"].to_numpy()[rows]
train = np.isin(queries, np.unique(queries)[::2])
print(f"LDA on {len(np.unique(queries[~train]))} unseen base queries ({(~train).sum()} responses), AUROC")
print(f"nothing erased    {auroc(y[~train], fit_lda(X[train], y[train]).scores(X[~train])):.2f}")
for name in erasure_methods.names():
    erasure = erasure_methods.get(name)().fit(X[train], y[train], groups=queries[train], seed=0)
    probe = fit_lda(erasure.remove(X[train]), y[train])
    print(f"{name:17} {auroc(y[~train], probe.scores(erasure.remove(X[~train]))):.2f}")
