"""Result tables of any depth, filled with random numbers: what figures are drawn from, without analyses."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from if_circuits.activations.positions import POSITIONS
from if_circuits.analyses.base import ANALYSES, AnalysisResult, Verdict
from if_circuits.tasks.registry import get_tasks

TASKS: Mapping[str, str] = {task.name: task.family for task in get_tasks(None)}
LABELS = ("natural", "counterfactual")
_COUNTS = {
    "n": 594,
    "n_over_d": 2.5,
    "n_base_queries": 100,
    "n_tasks": 9,
    "n_texts": 64,
    "p": 0.01,
    "reason": "",
}


def results(n_blocks: int) -> dict[str, AnalysisResult]:
    """A result of every analysis on a model of so many blocks, with its nine tasks and all positions."""
    made = _Tables(n_blocks)
    tables = {name: made.of(name) for name in ANALYSES}
    verdict = Verdict("a claim", "supported", 0.123, (0.045, 0.201), 0.0123, 100, "a rule")
    return {name: AnalysisResult(name, each.pop(""), verdict, each) for name, each in tables.items()}


def decodability(n_blocks: int) -> pd.DataFrame:
    """The table of `ifc.probe` on five positions."""
    positions = ("prompt_end", "10%", "50%", "last", "eos")
    probed = _Tables(n_blocks).scores(positions, ("logistic",))
    words = probed[probed["layer"] == -1].assign(layer=None, probe="text")
    return pd.concat([probed, words], ignore_index=True).astype({"layer": "Int64"})


class _Tables:
    def __init__(self, n_blocks: int) -> None:
        self._rng = np.random.default_rng(n_blocks)
        self._layers = range(-1, n_blocks)

    def of(self, analysis: str) -> dict[str, pd.DataFrame]:
        return getattr(self, analysis)()

    def _rows(self, **levels: Sequence[object]) -> pd.DataFrame:
        """Every combination of levels, with an AUROC, its interval and the counts."""
        table = pd.MultiIndex.from_product(levels.values(), names=list(levels)).to_frame(index=False)
        if "task" in table:
            table["family"] = table["task"].map(dict(TASKS))
        auroc = self._rng.uniform(0.5, 0.95, len(table))
        if layer := {"layer", "layer_probed"} & set(table):  # a curve, as layers have: flat, steep, flat
            rise = np.tanh(6 * (table[layer.pop()] / len(self._layers) - 0.4))
            auroc = 0.68 + 0.12 * rise.to_numpy() + 0.05 * (auroc - 0.7)
        return table.assign(auroc=auroc, low=auroc - 0.04, high=auroc + 0.04, **_COUNTS)

    def scores(self, positions: Sequence[str], probes: Sequence[str]) -> pd.DataFrame:
        return self._rows(task=list(TASKS), position=positions, layer=self._layers, probe=probes)

    def _labelled(self, **levels: Sequence[object]) -> pd.DataFrame:
        return self._rows(labels=LABELS, **levels)

    def specialist_vs_general(self) -> dict[str, pd.DataFrame]:
        probes = ("specialist", "general", "general_all", "leave_one_out", "text")
        tested = self._labelled(task=list(TASKS), probe=("specialist", "general"))
        return {
            "": tested,
            "means": self._labelled(layer=self._layers, position=("prompt_end", "last"), probe=probes),
            "cross_fitted": tested,
            "differences": self._labelled(task=list(TASKS)).assign(p_holm=0.01),
        }

    def cross_task_transfer(self) -> dict[str, pd.DataFrame]:
        cells = self._labelled(train_task=list(TASKS), task=list(TASKS)).assign(p_adjusted=0.01)
        cells["within_family"] = cells["train_task"].map(dict(TASKS)) == cells["family"]
        cells["place"] = cells["task"].map({task: place for place, task in enumerate(TASKS)})
        return {"": cells, "families": self._labelled(kind=("gap",)).assign(difference=0.034)}

    def localisation(self) -> dict[str, pd.DataFrame]:
        layers = [layer for layer in self._layers if layer >= 0]
        layers = layers[:: -(-len(layers) // 12)]
        whole = self._rows(
            task=list(TASKS), position=("prompt_end", "response", "all"), layer=layers,
            direction=("takes", "gives"), subspace=("residual",),
        )  # fmt: skip
        one = self._rows(
            task=list(TASKS), position=("all",), layer=layers, direction=("takes",),
            subspace=("difference in means",),
        )  # fmt: skip
        table = pd.concat([whole, one], ignore_index=True)
        share = self._rng.uniform(-0.1, 1.2, len(table))
        table = table.assign(share=share, low=share - 0.1, high=share + 0.1, share_placebo=0.02)
        carried = self._rows(task=list(TASKS)).assign(layer=str(layers[len(layers) // 2]), depth=0.5)
        names = ("residual", "difference in means", "difference by prompt", "probe", "INLP", "LEACE, removed",
                 "DAS", "DAS, arbitrary targets", "random", "placebo")  # fmt: skip
        compared = self._rows(task=list(TASKS), subspace=names)
        compared["share"] = self._rng.uniform(-0.1, 1.2, len(compared))
        edges = self._rows(way=("interchange", "removal"), changed=list(TASKS), measured=list(TASKS))
        edges["share"] = self._rng.uniform(-0.1, 1.2, len(edges))
        edges = edges.assign(share_placebo=0.02, survives=edges["share"] > 0.6, p_adjusted=0.01)
        plain = self._rows(task=list(TASKS), sentence=("taken back", "said twice"))
        plain["share"] = self._rng.uniform(-0.1, 1.2, len(plain))
        return {
            "": table,
            "carried": carried.assign(share=0.5),
            "subspaces": compared.assign(p_adjusted=0.01, rank=1.0),
            "dependencies": edges,
            "plain_prompts": plain.assign(low=plain["share"] - 0.1, high=plain["share"] + 0.1),
        }

    def layer_stratification(self) -> dict[str, pd.DataFrame]:
        emergence = self._labelled(task=list(TASKS)).assign(layer="3")
        emergence["depth"] = self._rng.uniform(0.1, 0.9, len(emergence))
        emergence = emergence.assign(low=emergence["depth"] - 0.08, high=emergence["depth"] + 0.08)
        emergence.loc[4, ["depth", "low", "high"]] = np.nan
        emergence.loc[4, "layer"] = "never"
        return {"": self._labelled(task=list(TASKS), layer=self._layers), "emergence": emergence}

    def temporal_dynamics(self) -> dict[str, pd.DataFrame]:
        places = self._labelled(task=list(TASKS), position=POSITIONS)
        order = places["position"].map({at: place for place, at in enumerate(POSITIONS)})
        survivors = places.assign(survivors=60 - order, mean_tokens_read=order, mean_index=20 + order)
        advantage = self._labelled(position=POSITIONS)
        return {
            "": places.assign(probe="specialist"),
            "means": self._labelled(position=POSITIONS, probe=("specialist", "text")),
            "survivors": survivors,
            "advantage_by_position": advantage.assign(
                advantage=advantage["auroc"] - 0.6, low=advantage["low"] - 0.6, high=advantage["high"] - 0.6
            ),
        }

    def representational_similarity(self) -> dict[str, pd.DataFrame]:
        names = list(TASKS)
        pairs = [(a, b) for place, a in enumerate(names) for b in names[place + 1 :]]
        table = pd.DataFrame(pairs, columns=["task_a", "task_b"])
        table["same_family"] = table["task_a"].map(dict(TASKS)) == table["task_b"].map(dict(TASKS))
        for column in ("similarity", "overlap_ratio", "pwcca", "cka"):
            table[column] = self._rng.uniform(-0.2, 0.9, len(table))
            table[f"{column}_p_adjusted"] = 0.01
        table = table.drop(columns="similarity_p_adjusted")
        return {"": table.assign(low=table["similarity"] - 0.1, high=table["similarity"] + 0.1)}

    def specificity(self) -> dict[str, pd.DataFrame]:
        table = self._rows(task=list(TASKS)).assign(share=0.06, share_twins=0.04, rank=12.5)
        effect = self._rng.uniform(0.6, 3.0, len(table))
        return {"": table.assign(effect=effect, low=effect * 0.8, high=effect * 1.3)}

    def causal_ablation(self) -> dict[str, pd.DataFrame]:
        cells = self._rows(matrix=("refitted probe", "behaviour"), ablated=list(TASKS), measured=list(TASKS))
        cells["family"] = cells["ablated"].map(dict(TASKS))
        excess = self._rng.normal(0.0, 0.2, len(cells))
        cells = cells.assign(
            excess=excess, low=excess - 0.1, high=excess + 0.1, measurable=True, score_above_floor=0.8,
            drop_variance_matched=0.1, after=0.7 - excess / 2,
            survives=(excess > 0.3) & (cells["ablated"] != cells["measured"]),
        )  # fmt: skip
        kinds = ("removed", "gaussian", "variance_matched")
        damage = self._rows(ablated=list(TASKS), condition=kinds)
        kl = self._rng.lognormal(-3.0, 1.0, len(damage))
        start = len(self._layers) // 2
        above = range(start, max(self._layers) + 1)
        rebuilt = self._rows(task=list(TASKS), layer_probed=above)
        steps = self._rows(task=list(TASKS))
        for name in ("removed", "added"):
            moved = self._rng.uniform(-0.1, 0.6, len(steps))
            steps = steps.assign(**{name: moved, f"{name}_low": moved - 0.1, f"{name}_high": moved + 0.1})
        return {
            "": cells,
            "summary": pd.DataFrame({"matrix": ["refitted probe", "behaviour"], "verdict": [False, True]}),
            "damage": damage.assign(kl=kl, low=kl * 0.8, high=kl * 1.2),
            "rebuilt": rebuilt.assign(
                layer_ablated=start, auroc_ablated=rebuilt["auroc"], auroc_intact=rebuilt["auroc"] + 0.05
            ),
            "both_ways": steps,
        }
