"""The registry: decorators, entry points of packages that are installed, and what happens when they clash."""

# ruff: noqa: ARG005 - functions of users, some of which look at nothing

import doctest
import importlib
import json
import re
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from if_circuits.erasure.base import erasure_method, erasure_methods
from if_circuits.errors import InputError
from if_circuits.models.presets import preset, presets
from if_circuits.probes.base import probe_method, probes
from if_circuits.registry import Registry
from if_circuits.tasks.judges.base import Judgement
from if_circuits.tasks.judges.registry import judge, judges
from if_circuits.tasks.registry import get_task, get_tasks, task, tasks
from if_circuits.tasks.verification import verify

GROUP = "if_circuits.shapes"
Install = Callable[..., Path]


def shapes(modules: tuple[str, ...] = ()) -> Registry[Any]:
    """An empty registry of callables; entry points are listed anew by each."""
    return Registry("shape", group=GROUP, modules=modules, expects="a callable", adapt=_callable)


def _callable(name: str, value: object) -> object | None:
    del name
    return value if callable(value) else None


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Install:
    """Installs a throwaway distribution: a module and the entry points that offer its objects."""

    def distribution(name: str, *, source: str, group: str = GROUP, **entries: str) -> Path:
        site = tmp_path / name
        info = site / f"{name}-1.0.dist-info"
        info.mkdir(parents=True)
        (site / f"{name}.py").write_text(source)
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
        lines = [f"{key} = {name}:{value}" for key, value in entries.items()]
        (info / "entry_points.txt").write_text("\n".join([f"[{group}]", *lines, ""]))
        monkeypatch.syspath_prepend(site)
        return site

    yield distribution
    for path in tmp_path.iterdir():
        sys.modules.pop(path.name, None)


def test_a_decorated_member_is_found_and_stays_what_it_is():
    registry = shapes()

    @registry.register("square")
    def square() -> int:
        return 4

    assert registry.get("square") is square
    assert square() == 4
    assert registry.names() == ("square",)


def test_an_unknown_name_is_refused_with_the_known_ones():
    registry = shapes()
    registry.register("square")(int)
    with pytest.raises(InputError, match="unknown shape 'circle'; expected one of square"):
        registry.get("circle")


def test_a_name_that_is_taken_is_refused_and_both_origins_are_named():
    registry = shapes()
    registry.add("square", int, origin="geometry")
    with pytest.raises(InputError, match=rf"'square' is registered already, by geometry; .* in {__name__}$"):
        registry.register("square")(float)
    assert registry.get("square") is int


def test_others_cannot_take_a_built_in_name_even_before_it_was_looked_up():
    code = (
        "from if_circuits.erasure.base import erasure_methods as m\n"
        "try: m.register('leace')(lambda X, y: X)\n"
        "except ValueError as error: print(error)\n"
        "print(m.get('leace').__name__)"
    )
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert "registered already, by if_circuits.erasure.leace" in out
    assert out.splitlines()[-1] == "Leace"


@pytest.mark.parametrize("name", ["", "two words"])
def test_a_name_must_be_one_word(name: str):
    with pytest.raises(InputError, match="without spaces"):
        shapes().register(name)(int)


def test_what_is_not_of_the_kind_is_refused_by_decorator_and_entry_point(install: Install):
    with pytest.raises(InputError, match="must be a callable, got int"):
        shapes().register("square")(4)
    install("numbers_only", source="FOUR = 4", square="FOUR")
    with pytest.raises(InputError, match="package 'numbers_only' .* must be a callable, got int"):
        shapes().get("square")


def test_an_installed_package_is_discovered_and_imported_only_when_its_name_is_looked_up(install: Install):
    install("lazy_shapes", source="def circle(): return 1", circle="circle")
    registry = shapes()
    registry.register("square")(int)
    assert registry.names() == ("square", "circle")
    assert registry.get("square") is int
    assert "lazy_shapes" not in sys.modules
    assert registry.get("circle")() == 1


def test_a_broken_package_costs_its_own_name_only(install: Install):
    install("broken_shapes", source="import no_such_module", circle="circle")
    install("incomplete_shapes", source="", oval="oval")
    registry = shapes()
    registry.register("square")(int)
    assert registry.get("square") is int
    for name, package, cause in (("circle", "broken", "no_such_module"), ("oval", "incomplete", "oval")):
        with pytest.raises(InputError, match=rf"'{package}_shapes' .* cannot be loaded: \w+: .*{cause}"):
            registry.get(name)


def test_two_packages_of_one_name_are_both_named(install: Install):
    install("first_shapes", source="def circle(): ...", circle="circle")
    install("second_shapes", source="def circle(): ...", circle="circle")
    with pytest.raises(InputError) as caught:
        shapes().get("circle")
    assert "'first_shapes'" in str(caught.value)
    assert "'second_shapes'" in str(caught.value)


def test_a_package_cannot_take_over_a_registered_name(install: Install):
    install("greedy_shapes", source="def square(): ...", square="square")
    registry = shapes()
    registry.add("square", int, origin="geometry")
    registry.add("line", float, origin="geometry")
    with pytest.raises(InputError, match="defined twice, by geometry and by package 'greedy_shapes'"):
        registry.get("square")
    assert registry.get("line") is float


def test_a_module_that_registers_what_its_entry_point_names_is_no_duplicate(install: Install):
    source = (
        "from if_circuits.probes.base import probe_method\n\n"
        "@probe_method('flat-probe')\ndef flat(X, y, *, groups, seed): ..."
    )
    site = install("flat_probes", source=source, group="if_circuits.probes")
    (site / "flat_probes-1.0.dist-info" / "entry_points.txt").write_text(
        "[if_circuits.probes]\nflat-probe = flat_probes:flat\n"
    )
    code = "from if_circuits.probes.base import probes as p; print(p.get('flat-probe').__module__, p.names())"
    command = [sys.executable, "-c", f"import sys; sys.path.insert(0, {str(site)!r}); {code}"]
    out = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert out.startswith("flat_probes ")
    assert out.count("flat-probe") == 1


def test_our_own_members_come_by_the_same_way():
    assert len(tasks.built_in()) == len(get_tasks()) == 9
    assert {"topic-lexicon", "vader", "insult-lexicon", "register-lexicon"} <= set(judges.built_in())
    assert set(erasure_methods.built_in()) == {"inlp", "leace", "mean_difference", "random"}
    assert set(probes.built_in()) == {"logistic", "mean_difference", "lda"}
    assert {"if-tiny", "gemma-2-2b"} <= set(presets.built_in())


def test_a_task_that_others_add_is_named_and_does_not_change_a_study(monkeypatch: pytest.MonkeyPatch):
    before = get_tasks()
    monkeypatch.setattr(tasks, "_registered", dict(tasks._registered))  # so that the others' task goes away

    @task("rhyme", family="sound", paraphrases=["Rhyme."])
    def rhyme(response: str) -> bool:
        return response.endswith("ay")

    assert get_tasks() == before
    assert [one.name for one in get_tasks(["rhyme", "topic"])] == ["rhyme", "topic"]


def test_registries_read_no_entry_point_and_import_no_method_at_import():
    code = (
        "import sys, importlib.metadata as m\n"
        "def refuse(**_): raise AssertionError\n"
        "m.entry_points = refuse\n"
        "import if_circuits.tasks.registry, if_circuits.erasure.base, if_circuits.probes.base\n"
        "import if_circuits.models.presets, if_circuits.cli.main\n"
        "print([n for n in sys.modules if n.startswith(('torch', 'sklearn', 'if_circuits.erasure.inlp'))])"
    )
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert out.strip() == "[]"


def test_the_command_line_lists_others_tasks_and_survives_a_broken_one(install: Install):
    source = (
        "from if_circuits.tasks.registry import task\n"
        "@task('loud', family='stylistic', paraphrases=['Shout.'])\n"
        "def loud(response): return response.isupper()"
    )
    site = install("loud_tasks", source=source, group="if_circuits.tasks", loud="loud")
    broken = install("silent_tasks", source="1 / 0", group="if_circuits.tasks", silent="SILENT")
    code = f"import sys; sys.path[:0] = {[str(site), str(broken)]!r}; from if_circuits.cli.main import main; "
    listing = [sys.executable, "-c", code + "sys.exit(main(['tasks']))"]
    out = subprocess.run(listing, capture_output=True, text=True, check=True).stdout
    assert "Shout." in out
    assert "word_count" in out
    assert "silent_tasks" in "".join(out.split())


@pytest.fixture
def clean(monkeypatch: pytest.MonkeyPatch) -> None:
    """Registries that forget what a test registers."""
    for registry in (tasks, judges, probes, erasure_methods, presets):
        registry.names()
        monkeypatch.setattr(registry, "_registered", dict(registry._registered))


def modules_of_registries() -> list[str]:
    return [
        "if_circuits.tasks.registry",
        "if_circuits.tasks.judges.registry",
        "if_circuits.probes.base",
        "if_circuits.erasure.base",
        "if_circuits.models.presets",
    ]


@pytest.mark.usefixtures("clean")
@pytest.mark.parametrize("name", modules_of_registries())
def test_the_example_of_every_decorator_runs(name: str):
    found = doctest.testmod(importlib.import_module(name))
    assert found.attempted > 0
    assert found.failed == 0


@pytest.mark.usefixtures("clean")
def test_running_a_definition_again_replaces_it_and_another_one_is_refused():
    def define(label: str) -> None:
        @judge("again")
        def again(text: str) -> str:
            del text
            return label

    define("first")
    define("second")
    assert judges.get("again")().judge(["x"])[0].label == "second"
    with pytest.raises(InputError, match="registered already"):
        judge("again")(lambda text: text)


@pytest.mark.usefixtures("clean")
@pytest.mark.parametrize(
    ("settings", "check", "message"),
    [
        ({"paraphrases": ["Say {word}."]}, lambda response, *, word: True, "takes word, which nothing gives"),
        ({"paraphrases": ["Say {word}."]}, lambda response: True, "names word, which nothing draws"),
        ({"draw": {"n": [1]}}, lambda response: True, "does not take n"),
        ({"draw": {"n": []}}, lambda response, *, n: True, "nothing to draw n from"),
        ({}, lambda: True, r"called with response by position .* but takes \(\)"),
        ({"judge": "tone"}, lambda: True, "called with judgement by position"),
        ({"paraphrases": "Shout."}, lambda response: True, "expected a list of one wording or more"),
        ({"request": "Write."}, lambda response: True, "with {subject}"),
    ],
)
def test_a_task_whose_parts_do_not_fit_is_refused_with_what_was_expected(
    settings: dict[str, Any], check: Callable[..., bool], message: str
):
    with pytest.raises(InputError, match=message):
        task("odd", family="sound", **{"paraphrases": ["Shout."], **settings})(check)
    assert "odd" not in tasks.names()


@pytest.mark.usefixtures("clean")
@pytest.mark.parametrize(
    "answer", [None, "yes", 1, re.match("a", "a"), (None, "no return"), (True, "a", "b")]
)
def test_an_answer_that_is_no_truth_value_never_counts_as_satisfied(answer: object):
    task("careless", family="sound", paraphrases=["Shout."])(lambda response: answer)
    rows = pd.DataFrame({"task": "careless", "parameters": "{}", "response": ["a text"]})
    found = verify(rows).iloc[0]
    assert found["verdict"] == "undecided"
    assert "expected True, False or a Label" in found["reason"]


@pytest.mark.parametrize("name", [one.name for one in get_tasks()])
def test_no_verifier_that_fails_calls_a_response_satisfied(name: str):
    """Whatever breaks, in the check or in its judge, leaves the response undecided."""

    class Broken:
        name = "broken"

        def judge(self, texts: Sequence[str]) -> list[Judgement]:
            raise RuntimeError(f"out of order for {len(texts)} texts")

    one = get_task(name)
    rows = pd.DataFrame({"task": name, "parameters": json.dumps({"no_such": 1}), "response": ["a text"]})
    broken = {} if one.judge is None else {one.judge: Broken()}
    assert verify(rows, broken)["verdict"].tolist() == ["undecided"]


@pytest.mark.usefixtures("clean")
def test_a_judged_task_asks_its_judge_and_leaves_open_what_the_judge_does():
    @judge("tone")
    def tone(text: str) -> tuple[str | None, float]:
        return (None if "?" in text else "loud" if text.isupper() else "calm"), len(text)

    @task("volume", family="sound", judge="tone", draw={"tone": ["loud", "calm"]}, paraphrases=["Be {tone}."])
    def volume(judgement: Judgement, *, tone: str) -> bool:
        return judgement.label == tone

    rows = pd.DataFrame(
        {"task": "volume", "parameters": '{"tone": "loud"}', "response": ["HO", "ho", "what?"]}
    )
    assert verify(rows)["verdict"].tolist() == ["satisfied", "violated", "undecided"]


@pytest.mark.usefixtures("clean")
def test_plain_functions_become_probes_and_erasures_of_the_right_rank():
    X = np.random.default_rng(0).normal(size=(60, 4))
    y = X[:, 1] + 0.1 * X[:, 2] > 0
    probe_method("second")(lambda X, y: np.eye(4)[1])
    scores = probes.get("second")(X, y, groups=np.arange(60), seed=0).scores(X)
    assert np.corrcoef(scores, X[:, 1])[0, 1] == pytest.approx(1.0)
    erasure_method("pair")(lambda X, y, *, seed: np.eye(4)[:2])
    left = erasure_methods.get("pair")().fit(X, y, groups=np.arange(60), seed=0).remove(X)
    np.testing.assert_allclose(left[:, :2], np.broadcast_to(X[:, :2].mean(axis=0), (60, 2)))
    np.testing.assert_allclose(left[:, 2:], X[:, 2:])


@pytest.mark.usefixtures("clean")
@pytest.mark.parametrize("answer", [None, np.zeros(3), np.full(4, np.nan), "direction"])
def test_a_probe_or_erasure_of_the_wrong_shape_is_refused(answer: object):
    X, y, groups = np.eye(4), np.arange(4) > 1, np.arange(4)
    probe_method("odd")(lambda X, y: answer)
    erasure_method("odd")(lambda X, y: answer)
    with pytest.raises(InputError, match="expected a finite direction"):
        probes.get("odd")(X, y, groups=groups, seed=0)
    with pytest.raises(InputError, match="expected finite directions"):
        erasure_methods.get("odd")().fit(X, y, groups=groups, seed=0)


@pytest.mark.parametrize("decorator", [probe_method, erasure_method])
def test_a_method_that_takes_something_else_is_refused(decorator: Callable[[str], Callable[..., Any]]):
    with pytest.raises(InputError, match="takes folds, which nothing gives; given is groups, seed"):
        decorator("odd")(lambda X, y, *, folds: X)


@pytest.mark.usefixtures("clean")
def test_a_preset_is_a_function_that_says_where_the_model_lies(tmp_path: Path):
    @preset("mine", max_new_tokens=12)
    def mine() -> Path:
        """A model of mine."""
        return tmp_path

    found = presets.get("mine")
    assert (found.source, found.max_new_tokens, found.description) == (str(tmp_path), 12, "A model of mine.")
    with pytest.raises(InputError, match="a preset has no max_tokens; expected some of batch_size"):
        preset("other", max_tokens=12)
    with pytest.raises(InputError, match="expected a hub name or a directory"):
        preset("other")(lambda: 3)
