"""From losses of shadow models to the tables and numbers of membership inference."""

import numpy as np
import pandas as pd
import pytest

from verbatim.io.measures import Measures
from verbatim.membership import shadows


def made(models=6, images=120):
    rng = np.random.default_rng(0)
    member = rng.random((models, images)) < 0.5
    hard = rng.normal(1, 0.3, images)
    return np.arange(images) + 7, hard + rng.normal(0, 0.05, member.shape) - 0.2 * member, member


def test_images_are_those_that_every_shadow_model_knows_of():
    a = pd.DataFrame({"image_id": [3, 1, 2], "member": [True, False, True]})
    b = pd.DataFrame({"image_id": [2, 3, 9], "member": [False, True, True]})
    ids, member = shadows.stack_members([a, b])
    assert ids.tolist() == [2, 3]
    assert member.tolist() == [[True, True], [False, True]]


def test_both_attacks_and_their_difference_are_reported_with_intervals():
    ids, losses, member = made()
    table = shadows.membership_table([f"half{i}" for i in range(6)], ids, losses, member, "fixed")
    assert len(table) == 6 * 120
    out = Measures("shadows", 0, "none")
    shadows.membership_measures(table, [0.05, 0.001], 100, 0.95, 0, out)
    found = out.table.set_index("measure")
    gain = found.loc["auc:lira", "value"] - found.loc["auc:loss", "value"]
    assert found.loc["auc:lira-loss", "value"] == pytest.approx(gain)
    assert found.loc["auc:lira-loss", "low"] > 0
    assert found.loc["tpr:lira@0.05", "value"] > found.loc["tpr:loss@0.05", "value"]
    assert np.isnan(found.loc["tpr:lira@0.001", "value"])
    assert "999 needed" in found.loc["tpr:lira@0.001", "note"]


def test_low_errors_of_completions_tell_members():
    ids, errors, member = made()
    out = Measures("shadows", 0, "none")
    shadows.inpainting_measures(ids, errors, member, "fixed", (100, 0.95, 0), out)
    found = out.table.set_index("measure")["value"]
    assert 0.5 < found["auc:inpainting"] < found["auc:inpainting_lira"]
    assert len(shadows.inpainting_table(["a"] * 6, ids, errors, member)) == 6 * 120


def test_outliers_that_are_told_more_surely_correlate():
    ids, losses, member = made()
    far = shadows.by_image(ids, np.linspace(0, 1, len(ids)))
    losses = losses - member * far.to_numpy() * 0.5
    table = shadows.membership_table(list("abcdef"), ids, losses, member, "fixed")
    out = Measures("shadows", 0, "none")
    shadows.outlier_membership(table, far, 100, 0.95, 0, out)
    assert out.table.iloc[0]["low"] > 0
