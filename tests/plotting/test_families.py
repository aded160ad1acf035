import pytest

from if_circuits.plotting.families import family_colours, task_looks
from if_circuits.plotting.style import CONTROL, new_figure
from if_circuits.tasks.registry import FAMILIES, get_tasks

OWN = {task.name: task.family for task in get_tasks()}


def looks_of(families: dict[str, str]) -> list[str]:
    return [str(sorted(look.items())) for look in task_looks(families).values()]


def test_tasks_of_one_family_share_a_colour_and_no_two_tasks_a_look():
    looks = task_looks(OWN)
    assert looks["topic"]["color"] == looks["sentiment"]["color"] != looks["word_count"]["color"]
    assert looks["toxicity"] == {"color": "#009E73", "linestyle": ":", "marker": "^"}
    assert len(set(looks_of(OWN))) == 9


@pytest.mark.parametrize("n_families", [1, 6, 25])
def test_other_families_have_colours_of_their_own_and_any_number_of_tasks_can_be_told_apart(n_families: int):
    families = OWN | {f"{family} {i}": f"f{family}" for family in range(n_families) for i in range(50)}
    assert len(set(looks_of(families))) == len(families)
    colours = family_colours(families.values())
    assert len(set(colours.values())) == min(len(colours), 10)
    assert CONTROL not in colours.values()
    _, (axes,) = new_figure()
    for look in task_looks(families).values():
        axes.plot([0, 1], [0, 1], **look)


def test_a_new_family_leaves_the_colours_of_ours_as_they_are():
    assert {family: family_colours(["sound", *FAMILIES])[family] for family in FAMILIES} == family_colours(
        FAMILIES
    )
