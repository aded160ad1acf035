"""The controlled suite: requests for a note about one word, for models that this project trained on such."""

from if_circuits.tasks.queries import subjects
from if_circuits.tasks.suites.suite import BaseQuery, Suite
from if_circuits.tasks.task import NOTE


def controlled_suite() -> Suite:
    """The suite of the embedded models. Each task has one grade: its own parameters and wordings."""
    return Suite(
        "controlled",
        tuple(
            BaseQuery(name, "note", name, NOTE.format(subject=name)) for name in subjects(held_out_only=False)
        ),
        held_out=subjects(held_out_only=True),
    )
