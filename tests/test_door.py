"""The public surface: the README's snippet, what importing costs, and every documented example."""

from __future__ import annotations

import doctest
import inspect
import subprocess
import sys
from functools import cache
from typing import Any

import pandas as pd
import pytest
import torch

import if_circuits as ifc
from if_circuits.errors import InputError
from if_circuits.models.loading import LoadedModel, load_model


@pytest.fixture(scope="module")
def model() -> LoadedModel:
    """The embedded model; shared, so leave it as it was."""
    return load_model("if-tiny")


@pytest.fixture(scope="module")
def rows(model: LoadedModel) -> pd.DataFrame:
    return ifc.respond(model, ifc.prompts("json_format", n=100))


def test_the_snippet_runs_as_written(model: LoadedModel, rows: pd.DataFrame):
    acts = ifc.capture(model, rows, layers="all")
    printed = str(ifc.probe(acts, positions=["prompt_end", "last"], n_bootstrap=100))
    for expected in ("prompt_end", "last", "layer embed", "layer 5", "(majority)", "(length)", "(text)"):
        assert expected in printed

    with pytest.warns(UserWarning, match="read at 'last'"):
        v = ifc.DifferenceInMeans.fit(acts.at(layer=3, position="last"))
        conditions = {"intact": [], "ablated": [v.ablate(layers=[3])]}
        held_out = ifc.prompts("json_format", n=10, seed=1)
        found = ifc.respond(model, held_out, conditions=conditions)
        shares = found["verdict"].eq("satisfied").groupby(found["condition"]).mean()
        assert shares["ablated"] < shares["intact"]

        ids = torch.tensor(model.chat.encode([str(held_out["prompt"][0])]))
        intact = model.bridge.generate(ids, max_new_tokens=12, do_sample=False, verbose=False)
        with v.ablate(layers=[3]).on(model):
            ablated = model.bridge.generate(ids, max_new_tokens=12, do_sample=False, verbose=False)
    again = model.bridge.generate(ids, max_new_tokens=12, do_sample=False, verbose=False)
    assert torch.equal(intact, again)
    assert not torch.equal(intact, ablated)


def test_importing_the_door_is_quick_and_imports_nothing_heavy():
    code = (
        "import sys, time; start = time.perf_counter(); import if_circuits; "
        "print(time.perf_counter() - start); print(*sys.modules)"
    )
    fastest, modules = 1.0, ""
    for _ in range(3):
        out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
        seconds, modules = out.splitlines()
        fastest = min(fastest, float(seconds))
    assert fastest < 0.3
    heavy = {"torch", "numpy", "pandas", "transformers", "transformer_lens", "matplotlib", "scipy"}
    assert not heavy & set(modules.split())


def test_every_public_name_exists_is_typed_and_is_listed():
    assert list(ifc.__all__) == sorted(ifc.__all__)
    assert set(ifc.__all__) <= set(dir(ifc))
    for name in ifc.__all__:
        assert getattr(ifc, name) is not None
    typed = inspect.getsource(ifc).partition("if TYPE_CHECKING:")[2].partition("__all__")[0]
    for name in ifc.__all__:
        assert name in typed
    with pytest.raises(AttributeError, match="nothing_of_the_kind"):
        ifc.__getattr__("nothing_of_the_kind")


@pytest.mark.parametrize("name", ifc.__all__)
def test_every_public_name_has_an_example_that_runs(name: str, monkeypatch: pytest.MonkeyPatch):
    public: Any = getattr(ifc, name)
    monkeypatch.setattr(ifc, "load_model", _load_once)
    text, scope = inspect.getdoc(public) or "", vars(sys.modules[public.__module__])
    example = doctest.DocTestParser().get_doctest(text, {**scope, "load_model": _load_once}, name, None, None)
    assert example.examples, f"{name} has no example"
    assert doctest.DocTestRunner(optionflags=doctest.NORMALIZE_WHITESPACE).run(example).failed == 0


@cache
def _load_once(name: str) -> LoadedModel:
    return load_model(name)


def test_prompts_are_those_that_the_embedded_model_never_saw(model: LoadedModel):
    prompts = ifc.prompts(["topic", "json_format"], n=20)
    assert prompts["constrained"].all()
    assert len(prompts) == 40
    open_ones = ifc.prompts("topic", n=300, held_out=False)
    with pytest.warns(UserWarning, match="in training"):
        ifc.respond(model, open_ones.head(2), max_new_tokens=2)
    both = ifc.prompts("topic", n=3, counterparts=True)
    assert both["constrained"].tolist() == [True, False] * 3


def test_a_text_of_ones_own_is_answered_without_a_verdict(model: LoadedModel):
    found = ifc.respond(model, "Write a short note about the river.", temperature=0)
    assert len(found) == 1
    assert "verdict" not in found


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda model: ifc.respond(model, "x", conditions=[]), "give names with interventions"),
        (lambda model: ifc.respond(model, "x", conditions={"a": 3}), "give an Intervention"),
        (lambda model: ifc.respond(model, "x", samples=1.5), "samples is 1.5; give a whole number"),
        (lambda model: ifc.respond(model, "x", temperature=float("nan")), "temperature is nan"),
        (lambda _: ifc.prompts("json_format", n="many"), "n is 'many'"),
        (lambda _: ifc.prompts("rhyme", n=2), "unknown task 'rhyme'"),
        (lambda _: ifc.DifferenceInMeans.fit([[1.0, 2.0]]), "acts.at"),
    ],
)
def test_what_cannot_be_meant_is_refused_in_one_line(model: LoadedModel, call: Any, message: str):
    with pytest.raises(InputError, match=message):
        call(model)
