"""The registry: decorators, entry points of packages that are installed, and what happens when they clash."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from if_circuits.erasure.base import erasure_methods
from if_circuits.errors import InputError
from if_circuits.models.presets import presets
from if_circuits.probes.base import probes
from if_circuits.registry import Registry
from if_circuits.tasks.judges.registry import judges
from if_circuits.tasks.registry import get_tasks, task, tasks

GROUP = "if_circuits.shapes"
Install = Callable[..., Path]


def shapes() -> Registry[Any]:
    """An empty registry of callables; entry points are listed anew by each."""
    return Registry("shape", group=GROUP, modules=(), expects="a callable", adapt=_callable)


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


def test_a_task_that_others_add_is_named_and_does_not_change_a_study():
    before = get_tasks()

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
