"""Scores on published sets: comparisons, blind baselines, and what a score adds to them."""

import made_sets
import numpy as np
import pandas as pd
import pytest
from made_sets import headlines, sentences, side
from sklearn.metrics import roc_auc_score

from verbatim.inputs.prompt_sets import SetSettings, build_set
from verbatim.io.keys import prompt_id
from verbatim.tables.blind import BLIND, SET_BLIND, describe_style
from verbatim.tables.set_detectors import (
    Comparison,
    list_comparisons,
    score_baselines,
    score_comparison,
)
from verbatim.tables.statistics import EvaluationSettings

SETTINGS = EvaluationSettings(0.1, (0.01,), 50, 3, 0.9, 0)


def make_set(tmp_path, positives, negatives=None, pool=None, urls=None):
    blocks = {
        "positives": side(
            made_sets.write_membench(tmp_path / "p.csv", positives, urls)
            if urls
            else made_sets.write_lines(tmp_path / "p.txt", positives)
        )
    }
    for name, some in (("negatives", negatives), ("pool", pool)):
        if some:
            blocks[name] = side(made_sets.write_lines(tmp_path / f"{name}.txt", some))
    return build_set("made", blocks, SetSettings(1, 200, 0.5, 0.5, 0.5, 1000, 0))


def compare(positives, negatives, family=None):
    captions = [*positives, *negatives]
    return Comparison(
        "made", "published",
        pd.DataFrame(
            {
                "prompt_id": [prompt_id(caption) for caption in captions], "caption": captions,
                "positive": [True] * len(positives) + [False] * len(negatives),
                "family": range(len(captions)) if family is None else family,
            }
        ),
    )  # fmt: skip


def test_published_negatives_are_compared_with_all_positives_in_families(tmp_path):
    (one,) = list_comparisons(make_set(tmp_path, headlines(), sentences()), 0.5)
    assert (one.set, one.negatives, one.compares) == ("made", "published", True)
    positive = one.prompts["positive"]
    assert (positive.sum(), (~positive).sum()) == (24, 24)
    carpets = one.prompts["caption"].str.startswith("Shaw")
    assert one.prompts.loc[carpets, "family"].nunique() == 1
    assert set(one.prompts.loc[carpets, "family"]).isdisjoint(one.prompts.loc[~carpets, "family"])


def test_captions_of_one_image_are_one_family(tmp_path):
    captions = ["fire us army flag", "train glorious robin rug", "modern happy scientist"]
    urls = [["u1"], ["u2", "u3"], ["u3"]]
    (one,) = list_comparisons(make_set(tmp_path, captions, ["a dog"], urls=urls), 0.5)
    assert one.prompts["family"].tolist() == [0, 1, 1, 2]


def test_a_set_without_negatives_has_families_and_nothing_to_compare(tmp_path):
    (one,) = list_comparisons(make_set(tmp_path, headlines()), 0.5)
    assert (one.negatives, one.compares) == ("none", False)


def test_a_matched_negative_is_in_the_family_of_its_positive_and_others_stay_away(tmp_path):
    pool = [
        "Attend The Orchard Trailer Tonight, Finally",
        "Shaw Floors Couture Collection Ultimate Expression Jade 09999",
    ]
    found = {
        c.negatives: c.prompts
        for c in list_comparisons(make_set(tmp_path, headlines(), sentences(), pool), 0.5)
    }
    assert set(found) == {"published", "same_template", "same_subject"}
    for kind in ("same_template", "same_subject"):
        assert found[kind]["positive"].tolist() == [True, False]
        assert found[kind]["family"].nunique() == 1
    assert len(found["published"]) == 48


def test_style_is_counted_as_a_reader_counts():
    row = describe_style(pd.Series(["Two Words, 12 é!", ""])).to_dict("records")
    assert row[0] == {
        "capital_letters": 2, "capitalised_words": 0.5, "log_characters": np.log(17), "log_words": np.log(5),
        "digits": 2, "punctuation": 2, "non_ascii": 1,
    }  # fmt: skip
    assert set(row[1].values()) == {0}


def test_captions_alone_tell_headlines_from_sentences():
    table = score_baselines(compare(headlines(30), sentences(30)), SETTINGS).set_index("detector")
    assert sorted(table.index) == sorted(SET_BLIND)
    for name in ("capitalised_words", "style", "bag_of_words", "capitals"):
        assert table["auc"][name] > 0.95, name
    assert set(BLIND) < set(table.index)


def test_captions_of_one_style_and_topic_are_near_chance_out_of_fold():
    # which sentence is positive is a coin toss; a fit that saw its own answers would be far above chance
    rng = np.random.default_rng(3)
    captions = [f"{s[:-1]} {i}" for i, s in enumerate(sentences(200))]
    coin = rng.permutation(200) < 100
    some = np.array(captions, dtype=object)
    table = score_baselines(compare(some[coin].tolist(), some[~coin].tolist()), SETTINGS)
    assert table.set_index("detector")["auc"][["bag_of_words", "style"]].between(0.35, 0.65).all()


def test_a_baseline_that_is_low_for_positives_is_turned_round_and_says_so():
    table = score_baselines(
        compare(["a b"] * 3 + ["c d"] * 3, ["a long one of seven words here"] * 6), SETTINGS
    )
    length = table.set_index("detector").loc["caption_length"]
    assert (length["auc"], length["direction"]) == (1.0, "low")
    assert set(table.loc[table["detector"].isin(["bag_of_words", "style"]), "direction"]) == {
        "high"
    }


def test_folds_never_split_a_family():
    # the words that tell the sides apart are the family's own: only a fit that met the family knows them
    families = range(12)
    positives = [f"yes{f} item{f}x{i}" for f in families for i in range(4)]
    negatives = [f"no{f} item{f}y{i}" for f in families for i in range(4)]
    of = [f for f in families for _ in range(4)]
    together, apart = compare(positives, negatives, of * 2), compare(positives, negatives)
    words = [
        score_baselines(one, SETTINGS).set_index("detector")["auc"]["bag_of_words"]
        for one in (together, apart)
    ]
    assert words[0] == 0.5
    assert words[1] > 0.9


def scores_of(one, **columns):
    return pd.DataFrame(columns, index=pd.Index(one.prompts["prompt_id"], name="prompt_id"))


def test_a_score_is_shown_beside_the_best_baseline_and_what_it_adds():
    one = compare([*sentences(30)], [f"{c} Really." for c in headlines(30)])
    rng = np.random.default_rng(0)
    noise = rng.normal(size=60)
    positive = one.prompts["positive"].to_numpy()
    table = score_comparison(
        one, scores_of(one, dcs=noise + positive, coin=noise), SETTINGS
    ).set_index("detector")
    assert table["auc"]["dcs"] == pytest.approx(roc_auc_score(positive, noise + positive))
    blind = table[table["blind"]]
    assert set(table["best_auc"]) == {blind["auc"].max()}
    assert table["gain"]["dcs"] == pytest.approx(table["auc"]["dcs"] - blind["auc"].max())
    assert table["gain_high"]["coin"] < 0
    assert blind["gain"].isna().all()
    assert table["low"]["dcs"] <= table["auc"]["dcs"] <= table["high"]["dcs"]


def test_a_prompt_without_a_score_counts_as_the_lowest_and_is_told():
    one = compare(["a", "b"], ["c", "d"])
    table = score_comparison(one, scores_of(one, dcs=[3.0, np.nan, 1.0, 2.0]), SETTINGS)
    line = table.set_index("detector").loc["dcs"]
    assert (line["auc"], line["share_pos"], line["share_neg"]) == (0.5, 0.5, 1.0)


def test_a_pooled_threshold_of_fitted_baselines_is_told():
    table = score_baselines(compare(headlines(30), sentences(30)), SETTINGS).set_index("detector")
    assert "several fits" in table["tpr_note"]["style"]
    assert "several fits" not in table["tpr_note"]["words"]
    assert "FPR 0.01: 15 negatives in a half, 99 needed" in table["tpr_note"]["words"]
    assert table["tpr"]["capitals"] > 0.9
