"""What Ray makes of units, as JSON: `python -m tests.engine.on_ray FOLDER`, a process that may use sockets.

A cluster of two workers is started here, and ends with the process.
"""

import json
import sys
from pathlib import Path

from if_circuits.engine.choice import open_engine
from if_circuits.errors import InputError
from tests.engine.units import Numbered, dies_once, drawn, fails_at_three


def main(folder: Path) -> dict[str, object]:
    """Results in order, a worker killed twice, an error, and a node of another version."""
    units = [Numbered(number, folder) for number in range(8)]
    found: dict[str, object] = {}
    with open_engine("ray", workers=2) as engine:
        found["drawn"] = list(engine.map(drawn, units))
        found["killed"] = list(engine.map(dies_once, units))
        try:
            list(engine.map(fails_at_three, units))
        except InputError as error:
            found["raised"] = [str(error), *error.__notes__]
    return found


if __name__ == "__main__":
    json.dump(main(Path(sys.argv[1])), sys.stdout)
