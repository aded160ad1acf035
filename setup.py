"""Names the packages: those in `if_circuits/`, and `analyses/`, installed as `if_circuits.analyses`."""

from setuptools import find_packages, setup

setup(
    packages=[
        *find_packages(include=["if_circuits", "if_circuits.*"]),
        "if_circuits.analyses",
        *(f"if_circuits.analyses.{name}" for name in find_packages("analyses")),
    ],
    package_dir={"if_circuits.analyses": "analyses"},
)
