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
