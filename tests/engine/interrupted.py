"""Two workers asleep on their units: `python -m tests.engine.interrupted FOLDER`, for a test to interrupt."""

import signal
import sys
from pathlib import Path

from if_circuits.engine.choice import open_engine
from tests.engine.units import Numbered, sleeps

if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a run in the background would ignore it
    units = [Numbered(number, Path(sys.argv[1])) for number in range(4)]
    with open_engine(workers=2) as engine:
        list(engine.map(sleeps, units))
