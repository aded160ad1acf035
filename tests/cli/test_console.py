import logging

import pytest

from if_circuits.cli.console import StageDisplay, print_table


def test_each_stage_gets_one_line_when_it_is_done(capsys: pytest.CaptureFixture[str]):
    with StageDisplay() as progress:
        progress("responses.greedy", 0, 1)
        progress("responses.greedy", 3, 10)
        progress("responses.greedy", 1, 1)
        progress("report", 0, 1)
        assert "report" not in capsys.readouterr().err
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.split() == ["report", "0.0", "s"]


def test_a_stage_that_fails_is_not_shown_as_done(capsys: pytest.CaptureFixture[str]):
    with pytest.raises(ValueError, match="broken"), StageDisplay() as progress:
        progress("activations", 0, 1)
        raise ValueError("broken")
    assert capsys.readouterr().err == ""


def test_text_in_tables_is_shown_as_it_is(capsys: pytest.CaptureFixture[str]):
    print_table(("name",), [("[bold]not markup[/bold]",)])
    assert "[bold]not markup[/bold]" in capsys.readouterr().out


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def test_without_a_terminal_a_long_stage_gets_a_line_a_minute(capsys: pytest.CaptureFixture[str]):
    clock = Clock()
    with StageDisplay(clock=clock) as progress:
        for second in range(0, 151, 10):
            clock.now = float(second)
            progress("analyses.causal_ablation", second, 600)
        lines = capsys.readouterr().err.splitlines()
    assert lines == [
        "analyses: causal ablation: 60 of 600 (10%) in 1 min, about 9 min left",
        "analyses: causal ablation: 120 of 600 (20%) in 2 min, about 8 min left",
    ]


def test_a_long_stage_that_has_done_nothing_yet_says_so(capsys: pytest.CaptureFixture[str]):
    clock = Clock()
    with StageDisplay(clock=clock) as progress:
        progress("responses.greedy", 0, 10)
        clock.now = 7200.0
        progress("responses.greedy", 0, 10)
        assert "0 of 10 (0%) in 2 h 0 min, time left unknown" in capsys.readouterr().err


def test_what_the_library_warns_of_is_a_line(capsys: pytest.CaptureFixture[str]):
    with StageDisplay():
        logging.getLogger("if_circuits.study.stage").warning("prompts: %s is done again", "[it]")
    assert capsys.readouterr().err == "prompts: [it] is done again\n"
    assert logging.getLogger("if_circuits").handlers == []
