"""Kills real runs of a study at random moments, and compares what survives with an uninterrupted run.

    python -m tests.study.kill --kills 24

Each run is a forked child, so that the libraries are imported once; it dies by
SIGKILL after a random time, and the next one goes on, now and then with a file damaged in between. A study
that ends is compared with the reference, file by file, and a new one begins. Prints one JSON object: how many
kills, in which stages, files damaged, studies finished, and what differed or was lost.
"""

import argparse
import json
import os
import random
import signal
import time
from collections import Counter
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from tempfile import TemporaryDirectory

from if_circuits.analyses.base import AnalysisSettings
from if_circuits.generation import parts
from if_circuits.study import Study, StudyConfig, closing
from tests.checkpoints import save_checkpoint
from tests.pictures import small_png

HEAVY = (
    "transformer_lens.model_bridge",
    "transformers",
    "sklearn.linear_model",
    "matplotlib.figure",
    "jinja2",
)
"""What a run imports on its way. Imported and not used: what has started threads does not survive a fork."""
DAMAGED = 0.3
"""Share of kills after which a file is damaged as well."""
TIMED = {"study.json", "report.html", ".lock"}
"""Files that state seconds or a process."""


def configuration(model: Path) -> StudyConfig:
    """A study of all stages in seconds."""
    return StudyConfig(
        model=str(model),
        suite="controlled",
        tasks=("word_count", "term_exclusion"),
        n_base_queries=12,
        prompts_per_query=2,
        samples_per_prompt=2,
        max_new_tokens=8,
        analyses=("specialist_vs_general", "specificity"),
        settings=AnalysisSettings(n_folds=3, n_bootstrap=20, n_permutations=20, n_random_subspaces=3),
    )


def content(root: Path) -> dict[str, bytes]:
    """Every file that must not depend on interruptions."""
    files = (path for path in root.rglob("*") if path.is_file() and path.name not in TIMED)
    return {str(path.relative_to(root)): path.read_bytes() for path in files}


def started(config: StudyConfig, out: Path, *, dies_at: int | None = None) -> int:
    """The process of a new run, which kills itself as it tells its progress for the `dies_at`-th time."""
    child = os.fork()
    if child == 0:
        told = 0

        def tell(_stage: str, _done: int, _total: int) -> None:
            nonlocal told
            told += 1
            if told == dies_at:
                os.kill(os.getpid(), signal.SIGKILL)

        try:
            Study.run(config, out, progress=tell)
        except BaseException as error:  # noqa: BLE001 - whatever it is, the parent has to hear of it
            print(f"{type(error).__name__}: {error}", flush=True)  # noqa: T201
            os._exit(1)
        os._exit(0)
    return child


def ended(child: int, seconds: float) -> int | None:
    """The exit code of a process, or None when it was killed, at the latest after so many seconds."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        found, status = os.waitpid(child, os.WNOHANG)
        if found:
            code = os.waitstatus_to_exitcode(status)
            return None if code == -signal.SIGKILL else code
        time.sleep(0.002)
    os.kill(child, signal.SIGKILL)
    return None if os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) < 0 else 0


def stage_at_work(out: Path) -> str:
    """The stage that follows the last one done."""
    record = out / "study.json"
    stages = list(json.loads(record.read_text())["stages"]) if record.exists() else []
    return f"after {stages[-1]}" if stages else "before the first"


def damage(out: Path, rng: random.Random) -> bool:
    """Flip a bit of some finished file, cut it short or remove it; the record, one of a kind, is spared."""
    files = sorted(path for path in out.rglob("*") if path.is_file() and path.name not in TIMED)
    if not files:
        return False
    path, content = (chosen := rng.choice(files)), bytearray(chosen.read_bytes())
    kind = rng.choice(("flip", "cut", "remove"))
    if kind == "remove" or not content:
        path.unlink()
        return True
    if kind == "flip":
        content[rng.randrange(len(content))] ^= 1 << rng.randrange(8)
    path.write_bytes(content if kind == "flip" else content[: len(content) // 2])
    return True


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--kills", type=int, default=24)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args(arguments)
    with TemporaryDirectory() as work:
        found = soak(Path(work), kills=options.kills, rng=random.Random(options.seed))
    print(json.dumps(found))  # noqa: T201


def soak(work: Path, *, kills: int, rng: random.Random) -> dict[str, object]:
    """Kill runs in the empty directory `work` until there were so many kills and a study was finished."""
    config = configuration(save_checkpoint("llama", work / "model"))
    parts.PART_PROMPTS = 16
    closing.png_bytes = small_png
    for name in HEAVY:
        import_module(name)
    assert ended(started(config, work / "reference"), 600) == 0
    before = time.monotonic()
    assert ended(started(config, work / "uninterrupted"), 600) == 0
    whole = time.monotonic() - before
    reference = content(work / "reference")

    moments: Counter[str] = Counter()
    lost: list[str] = []
    finished = runs = damaged = 0
    while sum(moments.values()) < kills or not finished:
        out = work / f"study-{finished}"
        # Every other one dies at a step of its work, so that early stages are met on any machine.
        if runs % 2:
            code = ended(started(config, out, dies_at=rng.randint(1, 12)), 600)
        else:
            code = ended(started(config, out), whole * rng.uniform(0.05, 0.6))
        runs += 1
        if code is None:
            moments[stage_at_work(out)] += 1
            damaged += rng.random() < DAMAGED and damage(out, rng)
            continue
        if code:
            lost.append(f"a run after {sum(moments.values())} kills failed")
            break
        found = content(out)
        lost += [f"{name} differs" for name in reference if found.get(name) != reference[name]]
        lost += [f"{name} is left over" for name in found.keys() - reference.keys()]
        finished += 1
    return {
        "kills": sum(moments.values()),
        "moments": dict(moments),
        "damaged": damaged,
        "runs": runs,
        "finished": finished,
        "lost": lost,
        "seconds_whole": round(whole, 2),
    }


if __name__ == "__main__":
    main()
