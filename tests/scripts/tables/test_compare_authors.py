"""Rule compare_authors: a table for every model that the authors labelled too."""

from __future__ import annotations

import pandas as pd
import pytest
from made_authors import LABELS, write_labels

from verbatim.io.authors import AuthorsError
from verbatim.io.records import SCHEMAS, write_table


@pytest.fixture
def run(run_script, tmp_path):
    n = len(LABELS["caption"])
    ours = SCHEMAS["labels"].empty_table().to_pandas().reindex(range(n))
    ours = ours.assign(
        prompt_id=range(n), row=range(n), seed=0, source_row=0, caption=LABELS["caption"],
        label=["MV", "MV", "TV", "N"], review=False, extra=False,
    ).fillna({name: "" for name in ours if ours[name].dtype == object})  # fmt: skip
    write_table(tmp_path / "ours", "labels", ours)

    def run(*theirs):
        run_script(
            "tables/compare_authors.py",
            input={"labels": [tmp_path / "ours"] * len(theirs), "authors": list(theirs)},
            output={"table": tmp_path / "agreement.csv"},
            params={
                "models": [f"m{i}" for i in range(len(theirs))],
                "resamples": 50,
                "confidence": 0.95,
                "seed": 0,
            },
        )
        return pd.read_csv(tmp_path / "agreement.csv", keep_default_na=False)

    return run


@pytest.mark.slow
def test_each_model_has_its_table(run, tmp_path):
    theirs = write_labels(tmp_path / "theirs.parquet")
    others = write_labels(tmp_path / "others.parquet", caption=["p", "q", "r", "s"])
    table = run(theirs, others)
    by = table.set_index(["model", "measure"])["value"]
    assert float(by["m0", "agreement"]) == 0.75
    assert by["m1", "agreement"] == ""
    apart = table[(table.model == "m1") & (table.measure == "not_compared")]
    assert apart.set_index("theirs")["value"].astype(float).to_dict() == {
        "only theirs": 4, "only ours": 4, "theirs twice": 0,
    }  # fmt: skip


def test_a_bad_file_of_theirs_is_refused_by_name(run, tmp_path):
    with pytest.raises(AuthorsError, match=r"theirs\.parquet: row 7 occurs twice"):
        run(write_labels(tmp_path / "theirs.parquet", rows=[7, 7, 8, 9]))
    assert not (tmp_path / "agreement.csv").exists()
