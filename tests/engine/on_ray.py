"""What Ray makes of units, as JSON: `python -m tests.engine.on_ray FOLDER`, a process that may use sockets.

A cluster of two workers is started here, and ends with the process.
"""

import json
import sys
from pathlib import Path

from if_circuits.engine.choice import open_engine
from if_circuits.errors import InputError
from tests.engine.holds import Tenfold, times, times_or_dies
from tests.engine.units import Numbered, dies_once, drawn, fails_at_three


def main(folder: Path) -> dict[str, object]:
    """Results in order, of tasks and of actors, workers of both killed twice, and errors."""
    (folder / "held").mkdir()
    units = [Numbered(number, folder) for number in range(8)]
    found: dict[str, object] = {}
    with open_engine("ray", workers=2) as engine:
        found["drawn"] = list(engine.map(drawn, units))
        found["killed"] = list(engine.map(dies_once, units))
        for factor in (3, 5):  # actors that hold the one make room for those that hold the other
            held = engine.map_held(times, units, source=Tenfold(folder / "held", factor), here=factor)
            found[f"times {factor}"] = list(held)
        found["drawn again"] = list(engine.map(drawn, units))
        again = engine.map_held(
            times_or_dies,
            [Numbered(number, folder / "held") for number in range(8)],
            source=Tenfold(folder / "held", 7),
            here=7,
        )
        found["times 7"] = list(again)
        try:
            list(engine.map_held(times, units, source=Tenfold(folder, -1), here=-1))
        except InputError as error:
            found["not loaded"] = [str(error), *error.__notes__]
        try:
            list(engine.map_held(times, units, source=Tenfold(folder, 2, n_gpus=1), here=2))
        except InputError as error:
            found["without a GPU"] = str(error)
        try:
            list(engine.map(fails_at_three, units))
        except InputError as error:
            found["raised"] = [str(error), *error.__notes__]
    return found


if __name__ == "__main__":
    json.dump(main(Path(sys.argv[1])), sys.stdout)
