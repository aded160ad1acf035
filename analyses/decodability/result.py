"""What probing found, to print, to look at in a notebook, and to draw."""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd
from matplotlib.figure import Figure

from if_circuits.analyses.base import AnalysisSettings
from if_circuits.analyses.decodability.figure import draw
from if_circuits.models.layers import layer_label
from if_circuits.plotting.html import figure_html, page_html, table_html


@dataclass(frozen=True, eq=False, repr=False)
class Decodability:
    """What `ifc.probe` found: print it, look at `table`, or draw `figure()`."""

    table: pd.DataFrame
    """One row a task, position and probe. Columns task, position, layer (NaN for baselines), probe, auroc,
    low, high, balanced_accuracy, n, n_satisfied, n_violated, n_undecided, n_base_queries, n_over_d, C,
    converged, reason (why a task has no score)."""
    method: str
    settings: AnalysisSettings

    def figure(self) -> Figure:
        """AUROC by layer with intervals, a panel a position, the text baseline dotted."""
        return draw(self.table)

    def summary(self) -> pd.DataFrame:
        """AUROC with its interval as text: layers and baselines below each other, positions side by side."""
        scored = self.table[self.table["reason"] == ""]
        flat = scored[["task", "position"]].assign(
            reads=[
                f"layer {layer_label(int(layer))}" if pd.notna(layer) else f"({probe})"
                for layer, probe in zip(scored["layer"], scored["probe"], strict=True)
            ],
            cell=[
                f"{auroc:.2f} [{low:.2f}, {high:.2f}]"
                for auroc, low, high in zip(scored["auroc"], scored["low"], scored["high"], strict=True)
            ],
        )
        wide = flat.pivot(index=["task", "reads"], columns="position", values="cell").fillna("")
        rows = list(dict.fromkeys(zip(flat["task"], flat["reads"], strict=True)))
        return wide.loc[rows, list(dict.fromkeys(flat["position"]))].rename_axis(columns=None)

    def _caption(self) -> str:
        scored = self.table[self.table["reason"] == ""]
        percent = 100 * (1 - self.settings.alpha)
        queries = int(scored["n_base_queries"].max()) if len(scored) else 0
        return (
            f"AUROC of {self.method} probes with {percent:g} % intervals, {self.settings.n_folds} folds over "
            f"{queries} base queries; in brackets what sees no activation"
        )

    def _remarks(self) -> list[str]:
        scored = self.table[self.table["reason"] == ""].drop_duplicates("task")
        lines = [
            f"{row['task']}: {row['n']} responses, {row['n_satisfied']} satisfied; "
            f"{row['n_undecided']} more undecided"
            for row in scored.to_dict("records")
        ]
        missing = self.table[self.table["reason"] != ""]
        return lines + [
            f"{row['task']} left out at {row['position']}: {row['reason']}"
            for row in missing.to_dict("records")
        ]

    def __repr__(self) -> str:
        table = self.summary().to_string() if (self.table["reason"] == "").any() else "no task can be probed"
        return "\n".join([self._caption(), table, *self._remarks()])

    def _repr_html_(self) -> str:
        drawn = [table_html(self.summary()), figure_html(self.figure())]
        scored = (self.table["reason"] == "").any()
        return page_html(self._caption(), *(drawn if scored else []), notes=self._remarks())
