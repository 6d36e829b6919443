"""Scripts on published prompt sets, run as jobs run them: files to tables and pages."""

from pathlib import Path

import made_sets
import numpy as np
import pandas as pd
import pytest
from made_results import make_scores
from made_sets import headlines, sentences, side

from verbatim.io.contracts import CONTRACTS
from verbatim.io.records import read_table, write_table

ROOT = Path(__file__).resolve().parents[3]
TEMPLATE = [ROOT / "workflow/report" / name for name in ("tables/page.html", "tables.css")]
JUDGED = {"fpr": 0.1, "fpr_strict": [0.01, 0.001], "resamples": 20, "folds": 3, "confidence": 0.9, "seed": 0, "family": 0.5}  # fmt: skip


@pytest.fixture
def sets(run_script, tmp_path):
    positives = made_sets.write_nemo(tmp_path / "nemo.csv", headlines(), ["VM", "TM"] * 12)
    negatives = made_sets.write_lines(tmp_path / "negatives.txt", sentences())
    pool = made_sets.write_gustavosta(
        tmp_path / "pool.parquet", ["Visit The Orchard Trailer, Season Finale"]
    )
    blocks = {
        "nemo": {"positives": side(positives), "negatives": side(negatives), "pool": side(pool)},
        "vm": {"positives": side(positives, types=["VM"])},
    }
    run_script(
        "inputs/build_prompt_sets.py",
        input={"files": [positives, negatives, pool]},
        output={"prompts": tmp_path / "inputs/prompt_sets.parquet"},
        params={
            "sets": blocks, "family": 0.5, "length": 0.5, "most_pool": 100, "seed": 0, "min_caption_chars": 1,
            "max_caption_chars": 200, "most_missing": 0.5,
        },
    )  # fmt: skip
    return tmp_path / "inputs/prompt_sets.parquet"


def columns_of(name):
    return list(CONTRACTS["tables"][f"tables/{name}.csv"].columns)


@pytest.mark.slow
def test_captions_alone_are_judged_without_a_model(run_script, sets, tmp_path):
    names = {
        "sets": "prompt_sets", "baselines": "set_baselines", "overlaps": "set_overlaps", "families": "set_families",
        "matches": "set_matches",
    }  # fmt: skip
    files = {name: tmp_path / f"tables/{file}.csv" for name, file in names.items()}
    page = tmp_path / "tables/prompt_sets.html"
    run_script(
        "tables/count_sets.py",
        input={"sets": sets, "template": TEMPLATE},
        output={**files, "page": page},
        params=JUDGED,
    )
    for name, file in names.items():
        assert list(pd.read_csv(files[name]).columns) == columns_of(file)
    table = pd.read_csv(files["sets"], keep_default_na=False)
    assert table["set"].tolist() == ["nemo", "nemo", "vm"]
    assert table["negatives"].tolist() == ["published", "same_subject", "none"]
    assert "nemo, published negatives" in page.read_text("utf-8")


def make_stages(run_script, sets, tmp_path):
    prompts = tmp_path / "dedup/prompts.parquet"
    run_script("dedup/select_sets.py", input={"sets": sets}, output={"prompts": prompts})
    table = read_table(prompts, "prompts")
    positive = table["caption"].isin(headlines()).to_numpy()
    noise = np.random.default_rng(0).uniform(size=len(table))
    for stage, scores in make_scores(table, noise + positive).items():
        write_table(tmp_path / stage / "sd1/scores.parquet", stage, scores)
    return table


@pytest.mark.slow
@pytest.mark.parametrize(
    "stages", [["whitebox", "blackbox"], ["whitebox", "blackbox", "postfilter"]]
)
def test_every_score_is_judged_beside_the_best_baseline(run_script, sets, tmp_path, stages):
    prompts = make_stages(run_script, sets, tmp_path)
    assert prompts["extra"].all()
    assert len(prompts) == 24 + 24 + 1
    scores = {stage: [tmp_path / stage / "sd1/scores.parquet"] for stage in stages}
    table, page = tmp_path / "tables/set_scores.csv", tmp_path / "tables/set_scores.html"
    run_script(
        "tables/score_sets.py",
        input={"postfilter": [], "detectors": [], **scores, "sets": sets, "template": TEMPLATE},
        output={"table": table, "page": page},
        params={**JUDGED, "models": ["sd1"], "stages": stages},
    )
    found = pd.read_csv(table)
    assert list(found.columns) == columns_of("set_scores")
    assert set(found["set"]) == {"nemo"}  # the other has nothing to compare with
    published = found[found["negatives"].eq("published")].set_index("detector")
    assert published["auc"]["dcs_reference"] > 0.95
    assert published["preset"]["ecs_world"] == "world"
    assert ("clique" in published.index) == ("postfilter" in stages)
    assert published["share_pos"].eq(1).all()
    assert "dcs_reference" in page.read_text("utf-8")


def test_sets_without_any_negatives_cannot_be_scored_and_the_cure_is_told(
    run_script, sets, tmp_path
):
    table = read_table(sets, "prompt_sets")
    write_table(sets, "prompt_sets", table[table["side"].eq("positive")])
    make_stages(run_script, sets, tmp_path)
    scores = {
        stage: [tmp_path / stage / "sd1/scores.parquet"] for stage in ("whitebox", "blackbox")
    }
    with pytest.raises(ValueError, match=r"no set of prompt_sets\.sets has negatives"):
        run_script(
            "tables/score_sets.py",
            input={"postfilter": [], "detectors": [], **scores, "sets": sets, "template": TEMPLATE},
            output={"table": tmp_path / "t.csv", "page": tmp_path / "t.html"},
            params={**JUDGED, "models": ["sd1"], "stages": list(scores)},
        )
