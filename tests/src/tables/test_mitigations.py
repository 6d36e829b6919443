"""Mitigations side by side, counted by hand on a made-up run."""

import numpy as np
import pandas as pd
import pytest

from verbatim.metrics.intervals import Draws, wilson
from verbatim.tables.mitigations import compare_defences, score_defences

DRAWS = Draws(200, 0.95, 0)
CHANGES = {"none": ("nothing", True), "rt": ("words", False), "wen": ("embedding", True)}
PROMPTS = pd.DataFrame(
    {"prompt_id": [0, 1, 2, 3, 4, 5], "group": ["memorized"] * 4 + ["once", "never"],
     "known": [True, False, True, False, False, False]}
)  # fmt: skip
SPENT = pd.DataFrame(
    [("none", "memorized", 8, 80, 0), ("none", "once", 2, 20, 0), ("none", "never", 2, 20, 0),
     ("rt", "memorized", 8, 80, 0), ("rt", "once", 2, 20, 0), ("rt", "never", 2, 20, 0),
     ("wen", "memorized", 8, 240, 160), ("wen", "once", 2, 20, 0), ("wen", "never", 2, 24, 4)],
    columns=["defence", "group", "generations", "unet_rows", "with_gradient"],
)  # fmt: skip


def checks():
    """None: prompts 0 to 2 copy with one of two seeds. Behind wen no prompt copies, and one image comes back."""
    lines = []
    for defence in CHANGES:
        for prompt in range(6):
            for seed in (0, 1):
                copied = defence != "wen" and prompt < 3 and seed == 1
                clip = 0.5 if defence == "none" else 0.1
                lines.append(
                    (
                        defence,
                        "prompt",
                        prompt,
                        seed,
                        0.4,
                        0.05 if copied else 0.3,
                        clip + 0.01 * prompt,
                    )
                )
    for defence, back in (("none", (0, 1)), ("wen", (1,))):
        for prompt in (0, 1, 4):
            lines += [(defence, start, prompt, 0, 0.05 if prompt in back and start == "embedding" else 0.4, 0.05, 0.5)
                      for start in ("embedding", "random")]  # fmt: skip
    lines.append(("none", "other seeds", 4, 7, 0.4, 0.01, 0.9))
    return pd.DataFrame(
        lines, columns=["defence", "attack", "prompt_id", "seed", "own", "nearest", "clip_score"]
    )


def table():
    return compare_defences(checks(), PROMPTS, SPENT, CHANGES, 0.12, DRAWS).set_index("defence")


def test_a_prompt_is_copied_if_any_of_its_generations_is():
    found = table()
    low, high = (float(end) for end in wilson(3, 4, 0.95))
    assert found.loc["none", ["copies", "copies_low", "copies_high"]].tolist() == pytest.approx(
        [0.75, low, high]
    )
    assert found["copies"].tolist() == [0.75, 0.75, 0.0]
    assert found["copies_unknown"].tolist() == [0.5, 0.5, 0.0]  # prompts 1 and 3
    assert found["copies_general"].tolist() == [0.0, 0.0, 0.0]
    assert found["n_memorized"].tolist() == [4, 4, 4]


def test_quality_is_a_mean_over_prompts_of_each_kind():
    found = table()
    assert found.loc["none", "clip_memorized"] == pytest.approx(0.5 + 0.015)
    assert found.loc["wen", "clip_general"] == pytest.approx(0.1 + 0.045)
    assert found.loc["wen", "clip_memorized_low"] < found.loc["wen", "clip_memorized"]


def test_rows_are_those_beyond_a_generation_without_a_defence():
    found = table()
    assert found["rows_memorized"].tolist() == [0, 0, 20]
    assert found["rows_general"].tolist() == [0, 0, 1]
    assert found["gradients_memorized"].tolist() == [0, 0, 20]
    assert found["gradients_general"].tolist() == [0, 0, 1]


def test_an_image_is_recovered_if_its_own_comes_back_and_what_an_embedding_does_not_meet_has_the_numbers_of_none():
    found = table()
    assert found["recovered_embedding"].tolist() == [1.0, 1.0, 0.5]
    assert found["recovered_random"].tolist() == [0.0, 0.0, 0.0]
    assert found["control_embedding"].tolist() == [0.0, 0.0, 0.0]
    assert found["meets_embeddings"].tolist() == [True, False, True]
    assert found["n_recovered"].tolist() == [2, 2, 2]
    assert found["n_control"].tolist() == [1, 1, 1]


def test_a_generation_that_failed_is_counted_and_is_no_copy():
    lines = checks()
    lines.loc[
        lines["defence"].eq("none") & lines["prompt_id"].eq(0), ["own", "nearest", "clip_score"]
    ] = np.nan
    found = compare_defences(lines, PROMPTS, SPENT, CHANGES, 0.12, DRAWS).set_index("defence")
    assert found.loc["none", "missing"] == 2
    assert found.loc["none", "copies"] == 0.5
    assert np.isfinite(found.loc["none", "clip_memorized"])


def test_scores_are_detectors_of_memorized_prompts_behind_each_defence():
    rows = []
    for defence, sign in (("none", 1), ("wen", -1)):
        for prompt in range(6):
            rows += [(defence, "dcs", prompt, seed, sign * (10 - prompt) + seed) for seed in (0, 1)]
    rows += [
        ("wen", "ecs", prompt, -1, np.nan if prompt == 5 else float(prompt == 4))
        for prompt in range(6)
    ]
    scores = pd.DataFrame(rows, columns=["defence", "score", "prompt_id", "seed", "value"])
    found = score_defences(scores, PROMPTS, DRAWS).set_index(["defence", "score"])
    assert found.loc[("none", "dcs"), "auc"] == 1
    assert found.loc[("wen", "dcs"), "auc"] == 0
    assert found.loc[("wen", "ecs"), ["auc", "n_pos", "n_neg", "n_missing"]].tolist() == [
        0,
        4,
        1,
        1,
    ]
