"""Every score beside its cost, from made-up tables."""

import numpy as np
import pandas as pd
import pytest
from made_results import make_labels, make_prompts, make_scores, make_truth

from verbatim.tables.depths import count_depths
from verbatim.tables.detectors import add_detectors, describe_prompts, join_scores, score_detectors
from verbatim.tables.score_costs import compare_scores, detector_rows, stage_rows
from verbatim.tables.statistics import EvaluationSettings

HOW = EvaluationSettings(0.05, (0.01,), 20, 3, 0.95, 0)


def costs():
    stages = ("whitebox", "blackbox", "blackbox_presets", "postfilter", "labels")
    rows = {"stage": stages, "model": "sd1", "rows_a_prompt": (4.0, 4.5, 8.0, 128.0, 64.0)}
    return pd.DataFrame(rows)


def judged(model="sd1"):
    """(evaluation, depths, detector_scores) of one model: wen finds everything, dsm_01 nothing."""
    truth = make_truth()
    prompts = make_prompts(truth)
    known = describe_prompts(prompts, make_labels(truth, {}), truth)
    planted = known.set_index("prompt_id")["kind"].eq("full").astype(float)
    parts = [
        pd.DataFrame({"prompt_id": planted.index, "score": name, "value": sign * planted.to_numpy(), "n_seeds": 2,
                      "unet_rows": rows, "derivatives": derivatives})
        for name, sign, rows, derivatives in (("wen", 1, 198, 0), ("dsm_01", -1, 4, 0), ("sharpness", 1, 4, 2))
    ]  # fmt: skip
    table = pd.concat(parts)
    scores = join_scores(**make_scores(prompts, np.random.default_rng(0).random(len(prompts))))
    scores = add_detectors(scores, table)
    evaluation = score_detectors(known, scores, HOW)
    depths = count_depths(known[known["count"] > 0], scores, [5, 10], HOW)
    for one in (evaluation, depths):
        one.insert(0, "model", model)
    return evaluation, depths, table


@pytest.mark.slow
def test_scores_go_from_the_cheapest_to_the_dearest_with_their_rows():
    evaluation, depths, table = judged()
    rows = pd.concat([stage_rows(costs()), detector_rows({"sd1": table})])
    found = compare_scores(evaluation, depths, rows, [5, 10, 1000])
    assert found["unet_rows"].is_monotonic_increasing
    by = found.set_index("detector")
    assert by["unet_rows"][["capitals", "dcs_paper", "ecs_world", "clique", "wen"]].tolist() == [
        0, 4, 4.5, 128, 198,
    ]  # fmt: skip
    assert by["derivatives"][["dsm_01", "sharpness", "clique"]].tolist() == [0, 2, 0]
    assert by.index.get_loc("dsm_01") < by.index.get_loc(
        "sharpness"
    )  # as many rows, differentiated
    assert by["auc"][["wen", "dsm_01"]].tolist() == [1, 0]
    assert by.loc["wen", "precision_5"] == 1
    assert found["precision_1000"].isna().all()  # nobody ranked so many
    assert set(found["detector"]) == set(evaluation["detector"])


@pytest.mark.slow
def test_a_model_without_detectors_has_its_own_scores_alone():
    evaluation, depths, _ = judged()
    evaluation = evaluation[~evaluation["detector"].isin(["wen", "dsm_01", "sharpness"])]
    rows = pd.concat([stage_rows(costs()), detector_rows({})])
    found = compare_scores(evaluation, depths, rows, [5])
    assert found["unet_rows"].notna().all()
    assert found["derivatives"].eq(0).all()


@pytest.mark.slow
def test_a_strict_rate_is_read_from_every_held_out_prompt_and_an_area_from_the_matched_ones():
    truth = make_truth(100)
    # half of what was never trained on is matched to an image of another kind
    other = truth["kind"].eq("held_out") & (truth["match"] % 2 == 1)
    truth.loc[other, "match"] = 400
    prompts = make_prompts(truth)
    known = describe_prompts(prompts, make_labels(truth, {}), truth)
    scores = join_scores(**make_scores(prompts, np.random.default_rng(0).random(len(prompts))))
    settings = EvaluationSettings(0.05, (0.02,), 20, 3, 0.95, 0)
    evaluation = score_detectors(known, scores, settings).assign(model="sd1")
    depths = count_depths(known[known["count"] > 0], scores, [5], settings).assign(model="sd1")
    rows = pd.concat([stage_rows(costs()), detector_rows({})])
    found = compare_scores(evaluation, depths, rows, [5]).set_index("detector")
    assert found.loc["dcs_paper", ["n_neg", "n_neg_all"]].tolist() == [50, 100]
    several = evaluation.set_index(["detector", "positives", "negatives"]).loc["dcs_paper", "full"]
    assert np.isnan(several.loc["held_out", "tpr_0.02"])  # 25 in a half, 49 needed
    assert found.loc["dcs_paper", "tpr_0.02"] == several.loc["held_out_all", "tpr_0.02"]
    assert found.loc["dcs_paper", "auc"] == several.loc["held_out", "auc"]
