"""The look of tasks: a colour for each family, a line and a marker for each task.

The colours of the study's own four families are fixed. Other families take the remaining ones in the order in
which they come: the rest of the palette of Okabe and Ito (2008) that is dark enough on white, then the muted
one of Tol (2021). All are safe for colour-blind readers, and none is the grey of what is unconstrained.
"""

from collections.abc import Iterable, Mapping
from typing import Any

from if_circuits.plotting.style import OKABE_ITO

_OWN = {
    "structural": OKABE_ITO["blue"],
    "lexical": OKABE_ITO["orange"],
    "semantic": OKABE_ITO["green"],
    "stylistic": OKABE_ITO["purple"],
}
_OTHERS = (OKABE_ITO["sky"], OKABE_ITO["vermilion"], "#882255", "#999933", "#332288", "#661100")
_LINES = ("-", "--", ":", "-.")
_MARKERS = ("o", "s", "^", "D", "v", "P", "X", "<", ">")


def family_colours(families: Iterable[str]) -> dict[str, str]:
    """A colour for each of the families; beyond ten families, colours return.

    Example:
        >>> family_colours(["lexical", "sound"])
        {'lexical': '#E69F00', 'sound': '#56B4E9'}
    """
    given = list(dict.fromkeys(families))
    others = [family for family in given if family not in _OWN]
    drawn = {family: _OTHERS[place % len(_OTHERS)] for place, family in enumerate(others)}
    return {family: _OWN.get(family) or drawn[family] for family in given}


def task_looks(families: Mapping[str, str]) -> dict[str, dict[str, Any]]:
    """For each task, by name with its family, the keyword arguments of `Axes.plot` that no other task has."""
    colours = family_colours(families.values())
    drawn = dict.fromkeys(colours.values(), 0)
    looks: dict[str, dict[str, Any]] = {}
    for task, family in families.items():
        colour = colours[family]
        looks[task] = {"color": colour, **_mark(drawn[colour])}
        drawn[colour] += 1
    return looks


def _mark(number: int) -> dict[str, Any]:
    """The line and marker of task `number` of one colour: no two numbers have the same."""
    marker = _MARKERS[number % len(_MARKERS)]
    # Four lines and nine markers make 36 pairs; then dashes grow longer with every round of markers.
    if number < len(_LINES) * len(_MARKERS):
        return {"linestyle": _LINES[number % len(_LINES)], "marker": marker}
    return {"linestyle": (0, (1 + number // len(_MARKERS), 2)), "marker": marker}
