"""The claims of a document beside another run: same, within tolerance or outside it."""

import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest

from verbatim.tables.documents import DocumentError
from verbatim.tables.reproduced import compare_sections

ROOT = Path(__file__).resolve().parents[3]
TABLE1 = pd.DataFrame({"Model": ["A", "B"], "Exact": [100, 2]})
FINDINGS = pd.DataFrame(
    {"finding": ["auc", "alarms"], "value": [0.98, 0.0], "holds": ["yes", "no"], "seconds": [9, 9]}
)
DOCUMENT = """# Claims

Numbers above the first section belong to none: <!-- a.csv | Model=A | {Exact} -->0<!-- . -->.

## Counts

<!-- a.csv | Model=A | {Exact} exact -->100 exact<!-- . -->, <!-- a.csv | Model=B | {Exact} -->2<!-- . -->

## Goals

<!-- b.csv | finding=auc | {value:.2f} -->0.98<!-- . -->: <!-- b.csv | finding=auc | at least 0.97: {holds} -->at least 0.97: yes<!-- . -->
<!-- b.csv | finding=alarms | {holds} -->no<!-- . --> in <!-- b.csv | finding=auc | {seconds} -->1<!-- . --> s

## Words alone

Nothing is looked up.
"""


def verdicts(table1=TABLE1, findings=FINDINGS):
    found = compare_sections(DOCUMENT, {"a.csv": table1, "b.csv": findings}.__getitem__)
    return {one.title: one.verdict for one in found}


def test_a_run_with_the_documents_numbers_is_the_same_whatever_its_seconds():
    assert verdicts() == {"Counts": "same", "Goals": "same"}


@pytest.mark.parametrize(
    ("exact", "said"),
    [
        ([105, 2], "within tolerance"),
        ([100, 5], "within tolerance"),
        ([94, 2], "outside tolerance"),
        ([100, 6], "outside tolerance"),
    ],
)
def test_counts_without_a_goal_may_differ_by_a_share_or_by_few(exact, said):
    assert verdicts(TABLE1.assign(Exact=exact))["Counts"] == said


def test_another_number_whose_goal_holds_is_within_tolerance_and_a_lost_goal_is_outside():
    other = FINDINGS.assign(value=[0.90, 0.4])
    assert verdicts(findings=other)["Goals"] == "within tolerance"
    assert verdicts(findings=other.assign(holds=["no", "no"]))["Goals"] == "outside tolerance"
    # a goal that did not hold in the document's run either asks for nothing
    assert verdicts(findings=other.assign(holds=["yes", "yes"]))["Goals"] == "within tolerance"


def test_a_number_that_became_a_word_is_outside_tolerance():
    said = compare_sections(
        DOCUMENT.split("## Goals")[0],
        lambda _: pd.DataFrame({"Model": ["A", "B"], "Exact": ["none", "2"]}),
    )
    assert [one.verdict for one in said] == ["outside tolerance"]
    assert said[0].differences == (("100 exact", "none exact"),)


def test_a_run_that_lacks_a_row_is_named():
    with pytest.raises(DocumentError, match=r"a\.csv.*0 rows fit"):
        verdicts(TABLE1.iloc[1:])


@pytest.mark.slow
def test_the_tool_names_the_file_that_a_run_lacks(tmp_path):
    done = subprocess.run(
        [sys.executable, ROOT / "workflow/tools/check_claims.py", tmp_path],
        capture_output=True,
        text=True,
    )
    assert done.returncode == 1
    assert str(tmp_path / "table1.csv") in done.stderr
    assert "make all" in done.stderr
