"""What answers to blind pairs say of judges."""

import pytest

from swag.errors import SettingsError
from swag_lab.evaluation.agreement import QUESTIONS, agreement_tables, read_pairs

HEAD = f"content,style,left,right,{','.join(QUESTIONS)},judge style left,judge style right,"
HEAD += "judge content left,judge content right"


@pytest.fixture
def pairs(tmp_path):
    """Three pairs, of which the judge finds one, misses one, and was optimized in one; a repeat."""
    file = tmp_path / "pairs.csv"
    lines = [
        "a,x,one,two,left,right,same,0.1,0.5,0.9,0.4",
        "b,x,one,two,right,right,left,0.2,0.3,0,0",
        "c,x,three,two,left,left,left,,,,",
        "a,x,two,one,right,left,right,0.5,0.1,0.4,0.9",
    ]
    file.write_text("\n".join([HEAD, *lines]))
    return file


def test_agreement_is_counted_over_first_looks_that_were_decided(pairs):
    text = agreement_tables(read_pairs(pairs))
    row = next(line for line in text.splitlines() if line.startswith("| judge style"))
    style, subject, better = row.removeprefix("| judge style | ").removesuffix(" |").split(" | ")
    assert style == "1 of 2, 0.50 [0.09, 0.91]"
    assert subject.startswith("0 of 2") and better.startswith("1 of 1")


def test_the_sum_of_both_errors_is_a_measure_too(pairs):
    first, second, none, _ = read_pairs(pairs)
    assert first.differences["judge sum"] == pytest.approx(-0.4 + 0.5)
    assert second.differences["judge sum"] == pytest.approx(-0.1)
    assert none.differences == {}


def test_larger_differences_are_told_from_smaller_ones(pairs):
    text = agreement_tables(read_pairs(pairs))
    below = [line for line in text.splitlines() if line.startswith("| judge style")][1]
    assert below.split(" | ")[1] == "0 of 1, 1 of 1"  # the smaller difference is the wrong one


def test_a_second_look_says_how_well_the_eye_agrees_with_itself(pairs):
    last = agreement_tables(read_pairs(pairs)).splitlines()[-1]
    assert "more style: 1 of 1" in last and "keeps subject: 1 of 1" in last
    assert "better: 0 of 1" in last


@pytest.mark.parametrize(
    "text",
    [
        "",
        "photo,painting\na,b\n",
        f"{HEAD}\na,x,one,two,l,r,s,1,2,1,2\n",
        *(
            f"{HEAD}\na,x,one,two,left,same,left,{cells}\n"
            for cells in ("1,2,1", "1,2,1,2,3", "nan,2,1,2", ",2,1,2", f"{'1' * 200_000},2,1,2")
        ),
    ],
)
def test_what_is_no_list_of_pairs_is_refused(tmp_path, text):
    file = tmp_path / "pairs.csv"
    file.write_text(text)
    with pytest.raises(SettingsError, match="columns content"):
        read_pairs(file)
