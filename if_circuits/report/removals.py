"""The items of the checklist on removals: controls, method, damage and scope."""

from collections.abc import Iterator

from if_circuits.models.layers import layer_label
from if_circuits.plotting.style import task_label
from if_circuits.report.facts import NOT_DONE, StudyFacts


def controls(facts: StudyFacts) -> Iterator[str]:
    table = facts.table("causal_ablation", needs=["ablated", "measured", "matrix"])
    if table is None:
        yield facts.missing("Control subspaces", "causal_ablation")
        return
    kinds = [task_label(name.removeprefix("drop_")) for name in table.columns if name.startswith("drop_")]
    cells = int((table["ablated"] != table["measured"]).sum())
    yield (
        f"{facts.setting('n_random_subspaces')} random subspaces of the same rank for each removal, of each "
        f"kind: {', '.join(kinds) or 'none'}. The kind that does more damage counts."
    )
    matrices = table["matrix"].nunique()
    yield f"Other tasks' subspaces: the {cells} cells off the diagonal of {matrices} matrices."


def erasure(facts: StudyFacts) -> Iterator[str]:
    subspaces = facts.table("causal_ablation", "subspaces", needs=["rank", "task"])
    if subspaces is None:
        yield facts.missing("Ranks of INLP", "causal_ablation")
        return
    ranks = subspaces["rank"].dropna()
    none = subspaces.loc[subspaces["rank"].isna(), "task"].unique()
    named = facts.setting("erasure")
    inlp = named in (None, "inlp", "?")
    stops = "; it stops when the next probe is near chance on held-out base queries" if inlp else ""
    yield (
        f"{'INLP' if inlp else named} on either half of the base queries: rank {ranks.min():g} to "
        f"{ranks.max():g}, median {ranks.median():g}{stops}. "
        f"Without a subspace: {', '.join(map(task_label, none)) or 'no task'}."
    )
    if curves := [name for name, _ in facts.tables("iteration")]:
        yield f"The held-out score of every iteration is in {curves[0]}."
    else:
        yield f"Held-out score of each iteration in the tables: {NOT_DONE} (only ranks are kept)."
    table = facts.table("causal_ablation", needs=["matrix"])
    matrices = set() if table is None else {str(name).lower() for name in table["matrix"]}
    if not any("mean difference" in name for name in matrices):
        yield f"Mean difference and LEACE: {NOT_DONE}."
        return
    yield (
        "Mean difference: its own matrix beside it, which is that of LEACE too: after either, a refitted "
        "linear probe may use the weights orthogonal to the difference of the class means, and no others."
    )


def damage(facts: StudyFacts) -> Iterator[str]:
    damage = facts.table("causal_ablation", "damage", needs=["condition"])
    if damage is None:
        yield facts.missing("Damage while generating", "causal_ablation")
        return
    measures = [name for name in ("n_tokens", "repetition", "compliance_off_task") if name in damage]
    intact = damage[damage["condition"] == "intact"]
    removed = damage[damage["condition"] == "removed"]
    told = [f"{task_label(name)} {removed[name].mean():.3g} ({intact[name].mean():.3g})" for name in measures]
    yield f"Mean over removed subspaces, and intact in brackets: {', '.join(told)}."
    neutral = [name for name in damage.columns if "perplexity" in name or name.split("_")[0] == "kl"]
    for name in neutral:
        yield f"{task_label(name)} on neutral text, mean over removed subspaces: {removed[name].mean():.3g}."
    if not neutral:
        yield f"KL and perplexity on neutral text: {NOT_DONE} (the table of damage has neither)."


def scope(facts: StudyFacts) -> Iterator[str]:
    config, model = facts.record["config"], facts.record["model"]
    layers = config.get("layers")
    read = "all" if layers is None else ", ".join(layer_label(layer) for layer in layers)
    yield f"Layers read: {read} of embed and {model.get('n_layers', '?')} blocks."
    places = {str(at) for _, table in facts.tables("position") for at in table["position"].dropna()}
    yield f"Positions read: {', '.join(sorted(places)) or 'none'}."
    subspaces = facts.table("causal_ablation", "subspaces", needs=["layer"])
    if subspaces is None:
        yield facts.missing("Removal", "causal_ablation")
        return
    at = ", ".join(layer_label(int(layer)) for layer in sorted(subspaces["layer"].dropna().unique()))
    yield (
        f"Subspaces are removed after block {at}; keys and values cached at and below that block are "
        "untouched."
    )
    later = [
        f"{name}, blocks {', '.join(layer_label(int(at)) for at in sorted(table['layer_probed'].unique()))}"
        for name, table in facts.tables("layer_probed")
    ]
    yield f"Later layers probed again: {later[0] if later else NOT_DONE}."
