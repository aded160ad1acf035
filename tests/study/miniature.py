"""The miniature study that tests share: how it is run, and what lies in its directory."""

from pathlib import Path

TASKS = ("word_count", "character_count", "term_exclusion", "register")
OPTIONS = (
    "--base-queries 12 --prompts-per-query 2 --samples 2 --max-new-tokens 12 --seed 5 --folds 3 "
    "--bootstrap 20 --permutations 20 --random-subspaces 3"
)


def command(model: Path, out: Path, *more: str) -> list[str]:
    """The command line of the study; the fixture `finished` is what it leaves."""
    suite = ["--suite", "controlled"]
    return ["run", str(model), "--out", str(out), *suite, "--tasks", *TASKS, *OPTIONS.split(), *more]


def content(root: Path) -> dict[str, bytes]:
    """Every file, by its path."""
    return {str(path.relative_to(root)): path.read_bytes() for path in root.rglob("*") if path.is_file()}
