"""Fixtures shared by the tests: random checkpoints of six architectures, the models loaded from them, and
registries that forget what a test registers."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path

import hypothesis
import pytest
import torch
from xdist.remote import Producer

from if_circuits.erasure.base import erasure_methods
from if_circuits.models.loading import LoadedModel, load_model
from if_circuits.models.presets import presets
from if_circuits.probes.base import probes
from if_circuits.tasks.judges.registry import judges
from if_circuits.tasks.registry import tasks
from tests.checkpoints import PAPER, save_checkpoint
from tests.kernels import FOLDERS, MODEL_FIXTURES
from tests.scheduling import ByFixture

# How long an example may take says how busy the machine is, and nothing of the code.
hypothesis.settings.register_profile("untimed", deadline=None)
hypothesis.settings.load_profile("untimed")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Mark what `tests.kernels` runs: the numerical tests, in which no language model takes part."""
    folders = [config.rootpath / folder for folder in FOLDERS]
    for item in items:
        fixtures = set(getattr(item, "fixturenames", ()))
        if any(item.path.is_relative_to(folder) for folder in folders) and not fixtures & MODEL_FIXTURES:
            item.add_marker(pytest.mark.kernels)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> ByFixture:
    """Costly fixtures are made once, in one process."""
    return ByFixture(config, log)


@pytest.fixture(autouse=True)
def own_members_only(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a test registers is gone after it, so that no test meets another's tasks, judges or methods."""
    for registry in (tasks, judges, probes, erasure_methods, presets):
        registry.built_in()  # our own members come with the import of their modules, which happens once
        monkeypatch.setattr(registry, "_registered", dict(registry._registered))


@pytest.fixture(autouse=True)
def threads_as_before() -> Iterator[None]:
    """A test that leaves torch with more threads makes all that come after it wait for each other."""
    before = torch.get_num_threads()
    yield
    after = torch.get_num_threads()
    torch.set_num_threads(before)
    assert after == before


@pytest.fixture(scope="session")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """The directory of an architecture's checkpoint, written once a session. Copy it before altering it."""

    @cache
    def directory(architecture: str) -> Path:
        return save_checkpoint(architecture, tmp_path_factory.mktemp("checkpoints") / architecture)

    return directory


@pytest.fixture(scope="session")
def load(checkpoint: Callable[[str], Path]) -> Callable[[str], LoadedModel]:
    """The model of an architecture, loaded once a session through the public loader."""

    @cache
    def loaded(architecture: str) -> LoadedModel:
        return load_model(str(checkpoint(architecture)))

    return loaded


@pytest.fixture(params=PAPER)
def model(request: pytest.FixtureRequest, load: Callable[[str], LoadedModel]) -> LoadedModel:
    """Each of the paper's architectures in turn. Shared by all tests: leave it as it was."""
    return load(request.param)


@pytest.fixture
def llama(load: Callable[[str], LoadedModel]) -> LoadedModel:
    """One small model, where the architecture makes no difference. Shared: leave it as it was."""
    return load("llama")
