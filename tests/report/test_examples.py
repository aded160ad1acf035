import pandas as pd

from if_circuits.analyses.validation.simulation.responses import FAMILY_OF, TASKS
from if_circuits.report.examples import choose_examples


def responses(tasks: tuple[str, ...], verdicts: tuple[str, ...] = ("satisfied", "violated")) -> pd.DataFrame:
    return pd.DataFrame(
        [
            {
                "task": task,
                "family": FAMILY_OF[task],
                "verdict": verdict,
                "constrained": True,
                "temperature": 1.0,
                "response": f"{task} {i}",
            }
            for task in tasks
            for verdict in verdicts
            for i in range(3)
        ]
    )


def test_a_dozen_shows_every_task_and_both_verdicts():
    chosen = choose_examples(responses(TASKS))
    assert len(chosen) == 12
    assert set(chosen["task"]) == set(TASKS)
    assert chosen["verdict"].value_counts().to_dict() == {"satisfied": 6, "violated": 6}
    assert chosen["task"].tolist() == sorted(chosen["task"], key=TASKS.index)


def test_greedy_and_unconstrained_responses_are_not_shown():
    rows = responses(("topic",))
    rows.loc[rows["verdict"] == "satisfied", "temperature"] = 0.0
    rows.loc[3, "constrained"] = False
    assert choose_examples(rows)["response"].tolist() in (["topic 1"], ["topic 2"])


def test_a_task_with_one_verdict_gives_one_example():
    assert len(choose_examples(responses(("topic", "register"), ("violated",)))) == 2
