"""Findings of several runs, by the real script."""

import pandas as pd


def test_the_files_of_the_runs_meet_in_one_table_in_the_order_of_the_seeds(run_script, tmp_path):
    def write(name, value):
        line = {"finding": "exact copies", "model": "sd1", "value": value, "low": "", "high": "", "n": 9,
                "goal": "some", "holds": "yes" if value else "no"}  # fmt: skip
        pd.DataFrame([line]).to_csv(tmp_path / name, index=False)
        return tmp_path / name

    run_script(
        "tables/compare_findings.py",
        input={"this": write("a.csv", 4), "anew": write("b.csv", 5), "seeds": [write("c.csv", 0), write("d.csv", 7)]},
        output={"table": tmp_path / "found.csv"},
    )  # fmt: skip
    table = pd.read_csv(tmp_path / "found.csv")
    assert table.loc[0, ["this_run", "trained_anew", "other_seeds"]].astype(str).tolist() == [
        "4", "5", "0 (no) / 7",
    ]  # fmt: skip
