"""How well does a judge agree with people? Measure it on a CSV file with the columns text and label.

    python examples/measure_a_judge.py sentiment vader labelled.csv positive
    python examples/measure_a_judge.py sentiment hf:NAME?positive=LABEL_1 labelled.csv positive

The last argument is the label that a large score speaks for. Without arguments, four sentences are judged.
"""

import sys

import pandas as pd

from if_circuits.tasks.judges.choice import choose_judges
from if_circuits.tasks.judges.measurement import measure_judge

if len(sys.argv) == 5:
    what, judge, path, positive = sys.argv[1:]
    labelled = pd.read_csv(path)
else:
    what, judge, positive = "sentiment", "vader", "positive"
    labelled = pd.DataFrame(
        {
            "text": ["A lovely day.", "What a delight!", "A dreadful day.", "It was a waste of time."],
            "label": ["positive", "positive", "negative", "negative"],
        }
    )

score = measure_judge(
    choose_judges([what], [(what, judge)])[what],
    labelled["text"].tolist(),
    labelled["label"].tolist(),
    positive=positive,
)
low, high = score.auroc_interval
print(f"{score.judge}: AUROC {score.auroc:.2f} [{low:.2f}, {high:.2f}], accuracy {score.accuracy:.2f},")
print(f"undecided {score.undecided:.2f}, n = {score.n}")
