"""What a study ran on: the versions of everything that can change its numbers."""

import platform
from importlib.metadata import PackageNotFoundError, packages_distributions, version

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
    # Builds of vLLM for other machines than a GPU's go by names of their own.
    of_vllm = packages_distributions().get("vllm", ["vllm"]) if config.generator == "vllm" else []
    for package in (*_PACKAGES, *of_vllm):
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            found[package] = "not installed"
    return {**found, "platform": platform.platform()}
