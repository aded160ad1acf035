"""The draws that a study keeps of its nulls, those of before something changed left out."""

from __future__ import annotations

import pandas as pd

from if_circuits.study.directory import StudyDirectory
from if_circuits.study.nulls.draws import digest_of, made_from_of, table_of
from if_circuits.study.nulls.exchanged import labels_code
from if_circuits.study.nulls.untrained import weights_code


def kept_nulls(directory: StudyDirectory) -> pd.DataFrame | None:
    """All draws of every null that are of this study and this code, as `draws.null_verdicts` gives them."""
    found: list[pd.DataFrame] = []
    for name, code in (("labels", labels_code), ("untrained", weights_code)):
        path = table_of(directory.root, name)
        if not path.is_file():
            continue
        table = pd.read_parquet(path)
        made_from = {each: made_from_of(directory, each) for each in table["analysis"].unique()}
        drawn = zip(table["analysis"], table["draw"], strict=True)
        now = [digest_of(made_from[each], name, code(), int(draw)) for each, draw in drawn]
        found.append(table[table["made_from"] == now])
    known = pd.concat(found, ignore_index=True) if found else pd.DataFrame()
    return known if len(known) else None
