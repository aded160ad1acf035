"""Whatever is thrown at the command line, the manifest and the verifiers, they answer as they promise."""

import json
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from if_circuits.activations.manifest import MANIFEST_FILE, read_manifest
from if_circuits.cli import main as cli
from if_circuits.errors import InputError
from if_circuits.tasks.judges.choice import default_judges
from if_circuits.tasks.registry import get_tasks

WORDS = st.one_of(
    st.text(max_size=12),
    st.sampled_from(
        [
            "run",
            "analyse",
            "verify",
            "tasks",
            "--out",
            "--tasks",
            "--seed",
            "--layers",
            "-1",
            "topic",
            "--",
            "if-x",
        ]
    ),
)


@settings(max_examples=150)
@given(arguments=st.lists(WORDS, max_size=6))
@example(["run", "\0", "--out", "\0"])
@example(["verify", "\udcff"])
def test_the_command_line_never_ends_in_a_traceback(arguments: list[str]):
    # What these words can name does not exist: nothing is loaded, and nothing may be written.
    try:
        code = cli.main(arguments)
    except SystemExit as stop:
        code = int(stop.code or 0)
    assert code in (0, 2)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=12), inner, max_size=4),
    max_leaves=12,
)
KEYS = ("format", "key", "n_rows", "index_sha256", "shards")


@settings(max_examples=150)
@given(values=st.dictionaries(st.sampled_from(KEYS), JSON), raw=st.binary(max_size=60), as_json=st.booleans())
@example(
    {"format": 2, "shards": [{"file": "../../etc/passwd", "rows": 1, "sha256": "", "not_finite": []}]},
    b"",
    True,
)
def test_a_strange_manifest_is_an_input_error(values: dict[str, object], raw: bytes, as_json: bool):
    with TemporaryDirectory() as folder:
        (Path(folder) / MANIFEST_FILE).write_bytes(json.dumps(values).encode() if as_json else raw)
        with pytest.raises(InputError):
            read_manifest(Path(folder))


PARAMETERS = {
    "word_count": {"n": 5},
    "character_count": {"n": 40},
    "json_format": {"key": "text"},
    "term_inclusion": {"word": "river"},
    "term_exclusion": {"word": "river"},
    "topic": {"topic": "music"},
    "sentiment": {"sentiment": "positive"},
    "toxicity": {},
    "register": {"register": "formal"},
}


@settings(max_examples=100)
@given(
    texts=st.lists(
        st.one_of(
            st.text(max_size=60),
            st.sampled_from(
                ["", " ", "{", '{"text": ' * 500, '{"text": NaN}', "\udcff", "\u202e", "river" * 900]
            ),
        ),
        min_size=1,
        max_size=4,
    )
)
def test_every_verifier_decides_every_text(texts: list[str]):
    judges = default_judges()
    for task in get_tasks(PARAMETERS):
        found = task.verify(texts, [PARAMETERS[task.name]] * len(texts), judges)
        assert len(found) == len(texts)
        assert all(verification.reason for verification in found)
