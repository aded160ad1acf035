"""A study whose model is at work in two workers: the same files, and nothing done by the process itself."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

import if_circuits as ifc
from if_circuits.activations import filling
from if_circuits.analyses.base import AnalysisSettings
from if_circuits.analyses.causal_ablation import answers, neutral_text, rebuilding
from if_circuits.analyses.localisation import experiment
from if_circuits.analyses.localisation import subspaces as compared_subspaces
from if_circuits.engine.base import Engine
from if_circuits.engine.choice import open_engine
from if_circuits.erasure.das import train_das
from if_circuits.errors import InputError
from if_circuits.generation import parts
from if_circuits.models.loading import LoadedModel
from if_circuits.models.workers import ModelSource, on_model
from if_circuits.progress import Report
from if_circuits.study import Study, StudyConfig, answering, pilot_answers

CONFIG = StudyConfig(
    model="if-tiny-compositional",
    tasks=("json_format", "sentiment", "register", "topic"),
    n_base_queries=24,
    prompts_per_query=2,
    samples_per_prompt=2,
    greedy=False,
    layers=(1, 3),
    analyses=("causal_ablation", "localisation"),
    settings=AnalysisSettings(n_folds=3, n_bootstrap=20, n_permutations=20, n_random_subspaces=2),
)


@pytest.fixture(scope="module")
def two() -> Iterator[Engine]:
    with open_engine(workers=2) as engine:
        yield engine


@pytest.fixture(scope="module")
def model() -> LoadedModel:
    return ifc.load_model("if-tiny")


def files(study: Study) -> dict[str, bytes]:
    root = study.directory.root
    return {
        str(path.relative_to(root)): path.read_bytes()
        for path in root.rglob("*")
        if path.suffix in (".parquet", ".safetensors")
    }


@pytest.mark.slow
def test_a_study_whose_model_is_in_two_workers_is_the_same_byte_for_byte(
    two: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(compared_subspaces, "train_das", partial(train_das, epochs=1))
    monkeypatch.setattr(parts, "PART_PROMPTS", 40)
    alone = Study.run(CONFIG, tmp_path / "alone")

    def refuses(*_: object, **__: object) -> None:
        raise AssertionError("this process did what its workers are for")

    for module, name in (
        (answering, "generate"),
        (filling, "fill"),
        (answers, "responses_under"),
        (neutral_text, "_log_probabilities"),
        (rebuilding, "read_positions"),
        (experiment, "apply_interchanges"),
    ):
        monkeypatch.setattr(module, name, refuses)
    shared = Study.run(CONFIG, tmp_path / "shared", engine=two)
    assert len(list((shared.directory.root / "generated").iterdir())) > 3
    assert not {"answers", "rebuilt", "damage"} - set(shared.results["causal_ablation"].tables)
    assert files(shared) == files(alone)


def test_workers_answer_the_pilot(two: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    config = StudyConfig(
        "if-tiny",
        suite="open",
        tasks=("word_count", "sentiment"),
        n_base_queries=3,
        prompts_per_query=1,
        samples_per_prompt=1,
        max_new_tokens=12,
        layers=(1,),
        analyses=(),
    )
    monkeypatch.setattr(parts, "PART_PROMPTS", 20)
    alone = Study.run(config, tmp_path / "alone")
    monkeypatch.setattr(pilot_answers, "generate", None)  # what this process would do it by
    shared = Study.run(config, tmp_path / "shared", engine=two)
    assert len(pd.read_parquet(shared.directory.pilot_answers)) > 100
    assert files(shared) == files(alone)


def test_workers_fill_shards_and_go_on_where_a_capture_was(
    two: Engine, model: LoadedModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    rows = ifc.respond(model, ifc.prompts("topic", n=12), temperature=0, progress=False)
    small = {"layers": [1, 3], "shard_bytes": 60_000, "progress": False}
    ifc.capture(model, rows, path=tmp_path / "alone", **small)
    monkeypatch.setattr(filling, "fill", None)  # what this process would do it by
    told: list[int] = []
    capture = partial(ifc.capture, model, rows, path=tmp_path / "shared", engine=two)
    capture(**small | {"progress": lambda done, _: told.append(done)})
    alone, shared = (
        {path.name: path.read_bytes() for path in (tmp_path / each).iterdir()} for each in ("alone", "shared")
    )
    assert shared == alone and len(alone) > 4
    assert told[-1] == 12
    (tmp_path / "shared" / "shard-00001.safetensors").unlink()
    told.clear()
    capture(**small | {"progress": lambda done, _: told.append(done)})
    assert len(told) == 1
    assert (tmp_path / "shared" / "shard-00001.safetensors").read_bytes() == alone["shard-00001.safetensors"]


def name_of(model: LoadedModel, unit: int, progress: Report | None) -> tuple[str, int]:
    del progress
    return type(model.bridge).__name__, unit * model.n_layers


def doubled(activations: Any, hook: object) -> Any:
    del hook
    return 2 * activations


def test_a_model_that_workers_cannot_load_as_it_is_stays_in_this_process(two: Engine, model: LoadedModel):
    class Here(type(two)):  # type: ignore[misc]
        def map_held(self, *_: object, **__: object) -> None:  # type: ignore[override]
            raise AssertionError("a worker would load another model than this one")

    engine = Here(2)
    found = [("TransformerBridge", 6), ("TransformerBridge", 12)]
    in_hand = ifc.load_model(model.bridge, tokenizer=model.chat.tokenizer)
    assert list(on_model(engine, in_hand, name_of, [1, 2])) == found
    with model.bridge.hooks(fwd_hooks=[("blocks.1.hook_out", doubled)]):  # type: ignore[arg-type]
        assert list(on_model(engine, model, name_of, [1, 2])) == found
    with pytest.raises(AssertionError, match="another model"):
        list(on_model(engine, model, name_of, [1, 2]))


def test_a_worker_with_other_weights_is_one_clear_error(model: LoadedModel):
    source = ModelSource.of(model)
    assert source.load().fingerprint == model.fingerprint
    with pytest.raises(InputError, match="a worker found other weights or another tokenizer of if-tiny"):
        replace(source, fingerprint="f" * 64).load()


def test_what_a_study_says_of_its_progress_does_not_depend_on_its_workers(
    two: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(parts, "PART_PROMPTS", 10)
    told: dict[str, list[float]] = {}

    def tell(stage: str, done: int, total: int) -> None:
        told.setdefault(stage, []).append(done / total)

    Study.run(
        replace(CONFIG, tasks=("topic",), n_base_queries=8, analyses=()), tmp_path, engine=two, progress=tell
    )
    for shares in told.values():
        assert shares == sorted(shares) and shares[-1] == 1
    assert len(told["responses.constrained"]) >= 4
