"""A study on a local Ray of four workers that is killed again and again, against one that was left alone.

    python -m tests.engine.study_on_ray FOLDER [--kills 3] [--seed 0]

Each run is a process of its own, which starts a cluster, and dies by SIGKILL at a random moment of the
responses, the next one of the activations, the third of the analyses; beside it, now and then, a worker is
killed. After the first death a copy of the study goes on without Ray. Prints one JSON object: how often
drivers and workers were killed, and the files that differ.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from threading import Event, Thread

from if_circuits.analyses.base import ON_ACTIVATIONS, AnalysisSettings
from if_circuits.engine.choice import open_engine
from if_circuits.engine.ray_units import MOST_DEATHS
from if_circuits.generation import parts
from if_circuits.study import Study, StudyConfig
from tests.study.kill import content

CONFIG = StudyConfig(
    model="if-tiny",
    tasks=("word_count", "term_inclusion", "term_exclusion", "topic"),
    n_base_queries=16,
    prompts_per_query=2,
    samples_per_prompt=2,
    greedy=False,
    layers=(1, 3),
    analyses=tuple(name for name in ON_ACTIVATIONS if name != "causal_ablation"),
    settings=AnalysisSettings(n_folds=3, n_bootstrap=20, n_permutations=20, n_random_subspaces=3),
)
WORKERS = 4
STAGES = ("responses", "activations", "analyses")
"""In turn, those in which a run dies."""
_AT_WORK = ("ray::of_version", "ray::Holder")
"""How Ray names processes that are at work on units; its own agents are none of ours to kill."""


def run(out: Path, engine: str, *, dies_at: int | None, seed: int) -> None:
    """One run, or the rest of one; `dies_at` counts what it tells of the stages that its seed names."""
    told, dies_in = 0, STAGES[seed % len(STAGES)]
    parts.PART_PROMPTS = 16  # several units a pass

    def tell(stage: str, _done: int, _total: int) -> None:
        nonlocal told
        told += stage.startswith(dies_in)
        if told == dies_at:
            os.kill(os.getpid(), signal.SIGKILL)

    over = Event()
    murderer = Thread(target=_kill_workers, args=(over, random.Random(seed)))
    with open_engine(engine, workers=WORKERS if engine == "ray" else 1) as carried_out_by:
        if engine == "ray" and dies_at is not None:
            murderer.start()
        try:
            Study.run(CONFIG, out, engine=carried_out_by, progress=tell)
        finally:
            over.set()


def _kill_workers(over: Event, rng: random.Random) -> None:
    """Kill workers of this process's cluster at random moments, and say so.

    Fewer than `MOST_DEATHS`, so that no unit can be given up.
    """
    killed = 0
    while killed < MOST_DEATHS - 1 and not over.wait(rng.uniform(0.5, 4.0)):
        at_work = [number for number in _descendants(os.getpid()) if _name(number).startswith(_AT_WORK)]
        if at_work:
            killed += 1
            os.kill(rng.choice(at_work), signal.SIGKILL)
            sys.stderr.write("killed a worker\n")
            sys.stderr.flush()


def _descendants(process: int) -> list[int]:
    children: dict[int, list[int]] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                parent = int((entry / "stat").read_text().rsplit(")", 1)[1].split()[1])
            except OSError:  # it has ended meanwhile
                continue
            children.setdefault(parent, []).append(int(entry.name))
    found, waiting = list[int](), [process]
    while waiting:
        more = children.get(waiting.pop(), [])
        found += more
        waiting += more
    return found


def _name(process: int) -> str:
    try:
        return Path(f"/proc/{process}/cmdline").read_bytes().split(b"\0")[0].decode()
    except OSError:
        return ""


def main(folder: Path, *, kills: int, seed: int) -> dict[str, object]:
    """The reference here, then the killed ones."""
    rng = random.Random(seed)
    reference, on_ray, elsewhere = folder / "reference", folder / "ray", folder / "elsewhere"
    _started(reference, "local")
    drivers, workers = 0, 0
    for number in range(kills):
        dead, died = _started(on_ray, "ray", dies_at=rng.randint(2, 6), seed=number)
        drivers += dead
        workers += died
        if number == 0:
            shutil.copytree(on_ray, elsewhere)
    _started(on_ray, "ray")
    _started(elsewhere, "local")
    wanted = content(reference)
    differ = {
        out.name: sorted(name for name in {*wanted, *found} if wanted.get(name) != found.get(name))
        for out, found in ((on_ray, content(on_ray)), (elsewhere, content(elsewhere)))
    }
    return {"drivers": drivers, "workers": workers, "files": len(wanted), "differ": differ}


def _started(out: Path, engine: str, *, dies_at: int | None = None, seed: int = 0) -> tuple[bool, int]:
    """A run in a process of its own: whether it was killed, and how many workers were."""
    command = [sys.executable, "-m", "tests.engine.study_on_ray", str(out), "--engine", engine]
    more = [] if dies_at is None else ["--dies-at", str(dies_at), "--seed", str(seed)]
    done = subprocess.run([*command, *more], capture_output=True, text=True, check=False)
    if done.returncode not in (0, -signal.SIGKILL):
        raise RuntimeError(done.stderr)
    return done.returncode != 0, done.stderr.count("killed a worker")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--kills", type=int, default=3)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--engine", choices=("local", "ray"))
    parser.add_argument("--dies-at", type=int)
    given = parser.parse_args()
    if given.engine is None:
        json.dump(main(given.folder, kills=given.kills, seed=given.seed), sys.stdout)
    else:
        run(given.folder, given.engine, dies_at=given.dies_at, seed=given.seed)
