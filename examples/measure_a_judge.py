"""How well does a judge agree with people? `if-circuits judge` in Python.

python examples/measure_a_judge.py
"""

from pathlib import Path
from tempfile import TemporaryDirectory

import pandas as pd

from if_circuits.tasks.judges.report import measure_file

labelled = pd.DataFrame(
    {
        "text": ["A lovely day.", "What a delight!", "A dreadful day.", "It was a waste of time."],
        "label": ["positive", "positive", "negative", "negative"],
    }
)
with TemporaryDirectory() as folder:
    path = Path(folder) / "labelled.csv"
    labelled.to_csv(path, index=False)
    print(measure_file(path, what="sentiment", judge="vader").text())
