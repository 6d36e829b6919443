"""Whether attacks find what is copied in a run, against naive counts."""

import numpy as np
import pandas as pd
import pytest

from verbatim.claims.detection import (
    clique_order,
    detection_measures,
    find_copied,
)
from verbatim.io.measures import Measures


def made_run():
    """Six drawn captions and two that are held out; 0 and 1 are duplicated, 0 and 2 come out as copies."""
    scores = pd.DataFrame(
        {
            "image_id": range(8), "caption": [f"c{i}" for i in range(8)],
            "planted": [True] * 2 + [False] * 6, "member": [True] * 6 + [False] * 2,
            "dcs": [9.0, 8, 7, 1, 2, 3, 0, 0.5], "ecs": [0.1, 0.2, 0.1, 0.2, 0.1, 0.2, 0.1, 0.2],
            "clique_size": [4, 2, 4, 1, 1, 1, 0, 0],
            "clique_distance": [0.1, 0.3, 0.2, np.nan, np.nan, np.nan, np.nan, np.nan],
        }
    )  # fmt: skip
    generations = pd.DataFrame(
        {"generation": range(12), "image_id": [i // 2 for i in range(12)], "kind": ["one", "more"] * 6}
    )  # fmt: skip
    own = [0.05, 0.3, 0.3, 0.4, 0.5, 0.12, 0.3, 0.3, 0.3, 0.3, 0.3, 0.3]
    similarities = pd.DataFrame({"generation": range(12), "descriptor": "clip", "own_rmse": own})
    return scores, generations, similarities


def test_a_caption_is_copied_if_any_of_its_images_is_its_own():
    _, generations, similarities = made_run()
    copied = find_copied(generations, similarities, 0.12)
    assert copied[copied].index.tolist() == [0, 2]


def test_cliques_are_ordered_by_size_and_then_by_distance_and_held_out_ones_have_none():
    order = clique_order(made_run()[0])
    assert order[0] > order[2] > order[1] > order[3]
    assert order[6:].isna().all()


def test_each_attack_is_judged_on_what_is_planted_and_on_what_is_copied():
    out = Measures("p", 0, "none")
    detection_measures(*made_run(), 0.12, (50, 0.95, 0), out)
    found = out.table.set_index("measure")
    assert found.loc["auc:dcs", "value"] == 1.0  # 9 and 8 above all others
    assert found.loc["auc_copied:dcs", "value"] == pytest.approx(
        7 / 8
    )  # of 0, 2 against 1, 3, 4, 5
    assert found.loc["auc:clique", "value"] == pytest.approx(
        7 / 8
    )  # held-out captions have no images
    assert found.loc["copied", "value"] == pytest.approx(2 / 6)
    assert found.loc["auc_copied:dcs", "note"] == "2 positives"


def test_a_run_without_copies_has_no_curve_but_a_note():
    scores, generations, similarities = made_run()
    out = Measures("p", 0, "rt")
    detection_measures(
        scores, generations, similarities.assign(own_rmse=0.5), 0.12, (50, 0.95, 0), out
    )
    found = out.table.set_index("measure")
    assert np.isnan(found.loc["auc_copied:dcs", "value"])
    assert found.loc["auc_copied:dcs", "note"]
    assert found.loc["copied", "value"] == 0


def test_a_run_without_scores_has_no_numbers():
    out = Measures("p", 0, "none")
    scores, generations, similarities = made_run()
    detection_measures(scores.iloc[:0], generations, similarities, 0.12, (50, 0.95, 0), out)
    assert len(out.table) == 0
