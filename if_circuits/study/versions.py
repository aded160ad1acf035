"""What a study ran on: the versions of everything that can change its numbers."""

import platform
from importlib.metadata import PackageNotFoundError, version

from if_circuits.study.config import StudyConfig
from if_circuits.version import __version__

_PACKAGES = (
    "torch",
    "transformer-lens",
    "transformers",
    "tokenizers",
    "numpy",
    "scipy",
    "scikit-learn",
    "statsmodels",
    "pandas",
    "pyarrow",
)


def versions(config: StudyConfig) -> dict[str, str]:
    """Versions of this package, of Python and of the libraries beneath a study, and the platform."""
    found = {"if_circuits": __version__, "python": platform.python_version()}
    for package in (*_PACKAGES, *(["vllm"] if config.generator == "vllm" else [])):
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            found[package] = "not installed"
    return {**found, "platform": platform.platform()}
