"""The script that sets published figures beside many simulated days."""

import re

import pytest
from scripts.published import main


def test_every_published_figure_has_its_line_and_a_missed_one_its_exit_code(capsys: pytest.CaptureFixture[str]) -> None:
    """In the file's order, with the days' mean, its standard error, and whether it is within 10 %."""
    code = main(["cashu", "--days", "2"])
    head, rule, *lines = capsys.readouterr().out.splitlines()
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
    assert (head.count("|"), rule.count("|")) == (9, 9)
    assert [row[:3] for row in cells] == [
        ["`cashu`", "Service level, 20 s, %", "80"],
        ["`cashu`", "Accepted share, %", "95"],
        ["`cashu`", "First response, s", "60"],
    ]
    for _, _, told, mean, error, off, within, days in cells:
        assert float(error) > 0
        assert float(off.removesuffix(" %").replace("−", "-")) == pytest.approx(
            100 * (float(mean) / float(told) - 1), abs=0.1
        )
        assert within == ("yes" if abs(float(mean) / float(told) - 1) <= 0.1 else "no")
        assert re.fullmatch("[12]", days)
    assert code == any(row[6] == "no" for row in cells)
