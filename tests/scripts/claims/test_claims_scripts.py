"""The concluding scripts on made files, as the rules call them: from measures to the page."""

from pathlib import Path

import pandas as pd
import pytest
from made_claims import BASE, LEVELS, generations_of, made_measures, made_states

from verbatim.io.records import SCHEMAS, read_table, write_table

ROOT = Path(__file__).resolve().parents[3]
REPORT = ROOT / "workflow/report"


def test_numbers_are_merged_with_what_the_attacks_find_and_with_failures(run_script, tmp_path):
    ids = list(range(8))
    scores = {
        "image_id": ids, "caption": "c", "planted": [i < 2 for i in ids], "member": True,
        "dcs": [9.0, 8, 1, 2, 3, 4, 5, 6], "ecs": 0.5, "clique_size": 1, "clique_distance": 0.5,
    }  # fmt: skip
    own = [0.01, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.4]
    alike = {
        "generation": ids, "descriptor": "clip", "similarity": 0.5, "match": ids, "split": 0.1,
        "cross": 0.1, "rmse": 0.1, "own_rmse": own,
    }  # fmt: skip
    write_table(tmp_path / "full.scores.parquet", "membership_scores", scores)
    write_table(
        tmp_path / "full.generations.parquet", "mitigation_generations", generations_of(ids)
    )
    write_table(tmp_path / "full.similarities.parquet", "similarity_matches", alike)
    for name, kind in (
        ("scores", "membership_scores"), ("generations", "mitigation_generations"),
        ("similarities", "similarity_matches"),
    ):  # fmt: skip
        empty = SCHEMAS[kind].empty_table().to_pandas()
        write_table(tmp_path / f"broken.{name}.parquet", kind, empty)
    nothing = SCHEMAS["run_measures"].empty_table().to_pandas()
    write_table(tmp_path / "broken.measures.parquet", "run_measures", nothing)
    write_table(tmp_path / "full.measures.parquet", "run_measures", made_measures().iloc[:3])
    states = made_states().iloc[-3:].assign(steps=1, seconds=1.0, loss=0.1)
    write_table(tmp_path / "states.parquet", "sweep_state", states)
    kinds = ("measures", "scores", "generations", "similarities")
    run_script(
        "claims/merge_measures.py",
        input={kind: [tmp_path / f"{run}.{kind}.parquet" for run in ("full", "broken")] for kind in kinds}
        | {"states": [tmp_path / "states.parquet"], "datasets": [tmp_path / "full.measures.parquet"],
           "users": tmp_path / "broken.measures.parquet", "membership": [], "relative": []},
        output={"measures": tmp_path / "all.parquet", "states": tmp_path / "all_states.parquet"},
        params={
            "runs": [("full10", 0, "none"), ("broken", 0, "none")], "copy_rmse": 0.12,
            "resamples": 20, "confidence": 0.95,
        },
    )  # fmt: skip
    found = read_table(tmp_path / "all.parquet", "run_measures")
    of_run = found[found["point"].eq("full10")].set_index("measure")["value"]
    assert of_run["auc:dcs"] == 1.0
    assert of_run["auc_copied:dcs"] == 1.0
    assert of_run["copied"] == 1 / 8
    assert len(read_table(tmp_path / "all_states.parquet", "sweep_state")) == 3


@pytest.mark.slow
def test_the_claims_and_the_page_come_of_the_merged_numbers(run_script, tmp_path):
    pool = {
        "image_id": [0, 1], "caption": "c", "group": "g", "order": [0, 1], "planted": False,
        "held_out": [False, True],
    }  # fmt: skip
    write_table(tmp_path / "pool.parquet", "sweep_pool", pool)
    write_table(tmp_path / "measures.parquet", "run_measures", made_measures())
    states = made_states().assign(steps=1, seconds=1.0, loss=0.1)
    write_table(tmp_path / "states.parquet", "sweep_state", states)
    (tmp_path / "data.png").write_bytes(b"png")
    points = [{"point": name, **BASE, "half": -1, **less} for name, (less, _) in LEVELS.items()]
    outputs = {
        "claims": "claims.csv",
        "counts": "counts.csv",
        "robustness": "robustness.csv",
        "table": "mitigations.csv",
        "page": "claims.html",
    }
    run_script(
        "claims/compare_claims.py",
        input={name: tmp_path / f"{name}.parquet" for name in ("measures", "states", "pool")}
        | {"paper": ROOT / "config" / "claims_paper_values.tsv", "figures": [tmp_path / "data.png"],
           "template": [REPORT / "claims/page.html", REPORT / "tables.css"]},
        output={name: tmp_path / file for name, file in outputs.items()},
        params={
            "points": points, "base": BASE, "defended": ["none", "full10"], "defences": ["gni", "rt"],
            "seeds": 2, "confidence": 0.95,
        },
    )  # fmt: skip
    claims = pd.read_csv(tmp_path / "claims.csv").set_index("claim")
    assert claims.loc["own_over_fixed", "verdict"] == "held"
    assert claims.loc["own_over_class", "verdict"] == "failed"
    other = pd.read_csv(tmp_path / "robustness.csv").set_index("claim")
    assert other.loc["own_over_fixed", ["measure", "verdict"]].tolist() == [
        "similarity:p95@pixels",
        "not held",
    ]
    assert (pd.read_csv(tmp_path / "mitigations.csv")["status"] == "ok").sum() > 4
    assert "held" in (tmp_path / "claims.html").read_text("utf-8")
