"""Names the packages: those of `if_circuits/`, and the folder `analyses/`, which is installed as `if_circuits.analyses`."""

from setuptools import find_packages, setup

setup(
    packages=[
        *find_packages(include=["if_circuits", "if_circuits.*"]),
        "if_circuits.analyses",
        *(f"if_circuits.analyses.{name}" for name in find_packages("analyses")),
    ],
    package_dir={"if_circuits.analyses": "analyses"},
)
