"""Measures a judge, by name, on a file of labelled texts."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from if_circuits.errors import InputError
from if_circuits.tasks.judges.choice import choose_judges, open_judges
from if_circuits.tasks.judges.measurement import JudgeScore, measure_judge

POSITIVE = {"register": "formal", "sentiment": "positive", "toxicity": "toxic"}
"""The label that a large score speaks for, of each property that has one."""


def measure_file(
    path: Path, *, what: str, judge: str | None = None, positive: str | None = None
) -> JudgeScore:
    """The agreement of the judge of `what` with the labels of a CSV file with the columns text and label.

    The judge is the best installed one unless it is named; rows of one `group`, where the file has that
    column, are resampled together. Raises InputError for a file that cannot be read, and for a judge that
    cannot be had.

    Example:
        >>> from tempfile import TemporaryDirectory
        >>> with TemporaryDirectory() as folder:
        ...     path = Path(folder) / "labelled.csv"
        ...     _ = path.write_text("text,label\\nA lovely day.,positive\\nA dreadful day.,negative\\n")
        ...     measure_file(path, what="sentiment", judge="vader").accuracy
        1.0
    """
    try:
        table = pd.read_csv(path)
    except (OSError, ValueError) as error:
        raise InputError(f"{path} cannot be read: {error}; expected a CSV file") from error
    if missing := [name for name in ("text", "label") if name not in table]:
        raise InputError(
            f"{path} has no column {missing[0]!r}; it has {', '.join(map(str, table.columns))}; "
            "expected text and label"
        )
    first = positive or POSITIVE.get(what)
    if first is None:
        raise InputError(
            f"which label of {what!r} does a large score speak for? name it, as in --positive LABEL"
        )
    chosen = [(what, judge)] if judge is not None else open_judges([what])
    return measure_judge(
        choose_judges([what], chosen)[what],
        table["text"].astype(str).tolist(),
        table["label"].astype(str).tolist(),
        positive=first,
        groups=table["group"].tolist() if "group" in table else None,
    )
