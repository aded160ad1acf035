"""The wheel holds all that a study needs, installs analyses/ inside the package, and claims no other name."""

import shutil
import subprocess
import sys
import sysconfig
import venv
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel, built from a copy of what is in version control."""
    source = tmp_path_factory.mktemp("source")
    for name in ("if_circuits", "analyses"):
        shutil.copytree(ROOT / name, source / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "setup.py", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, source / name)
    out = source / "dist"
    command = ["-m", "build", "--wheel", "--no-isolation", "--outdir", str(out), str(source)]
    subprocess.run([sys.executable, *command], check=True, capture_output=True)
    return next(out.glob("*.whl"))


def files_of(folder: Path) -> set[str]:
    return {
        path.relative_to(folder).as_posix()
        for path in folder.rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }


def test_wheel_holds_every_file_of_the_package_and_no_other_module(wheel: Path):
    names = {name for name in zipfile.ZipFile(wheel).namelist() if ".dist-info/" not in name}
    expected = {f"if_circuits/{name}" for name in files_of(ROOT / "if_circuits")}
    expected |= {f"if_circuits/analyses/{name}" for name in files_of(ROOT / "analyses")}
    assert names == expected


def test_wheel_says_the_version_that_the_package_says(wheel: Path):
    from if_circuits import __version__

    assert wheel.name.split("-")[1] == __version__


def test_wheel_holds_the_embedded_model_in_at_most_ten_megabytes(wheel: Path):
    prefix = "if_circuits/assets/if-tiny/"
    sizes = {
        info.filename.removeprefix(prefix): info.file_size
        for info in zipfile.ZipFile(wheel).infolist()
        if info.filename.startswith(prefix)
    }
    assert {"config.json", "model.safetensors", "tokenizer.json"} <= set(sizes)
    assert sum(sizes.values()) <= 10e6


def test_an_environment_with_the_wheel_alone_runs_the_embedded_model(wheel: Path, tmp_path: Path):
    home = tmp_path / "venv"
    venv.create(home, with_pip=False)
    site = Path(sysconfig.get_path("purelib", "venv", {"base": str(home), "platbase": str(home)}))
    install = [
        "-m",
        "pip",
        "install",
        "--quiet",
        "--no-deps",
        "--no-index",
        "--target",
        str(site),
        str(wheel),
    ]
    subprocess.run([sys.executable, *install], check=True)
    # Dependencies come from this environment. Its own editable install of the package hangs on a .pth file,
    # which Python does not read in a directory that another .pth file adds.
    (site / "dependencies.pth").write_text(sysconfig.get_path("purelib") + "\n")
    code = (
        "import importlib.util as u, if_circuits, if_circuits.analyses.base as b\n"
        "print(if_circuits.__file__, b.__file__, u.find_spec('analyses'), sep='\\n')"
    )
    python = home / "bin" / "python"
    found = subprocess.run(
        [python, "-c", code], check=True, capture_output=True, text=True, cwd=tmp_path
    ).stdout
    package, base, stray = found.split()
    assert Path(package) == site / "if_circuits" / "__init__.py"
    assert Path(base) == site / "if_circuits" / "analyses" / "base.py"
    assert stray == "None"

    options = "--tasks topic register --base-queries 6 --samples 1 --folds 3 --analyses cross_task_transfer"
    run = ["-m", "if_circuits.cli.main", "run", "if-tiny", "--out", "study", *options.split()]
    subprocess.run([python, *run], check=True, cwd=tmp_path)
    assert (tmp_path / "study" / "report.html").is_file()
