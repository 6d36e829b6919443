"""Every score as a detector of planted copies, beside baselines that never see a model.

A detector is compared with a caption-only baseline on negatives that match the positives. Each area has an
interval, and the number of copies that the model generates is given beside it.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from verbatim.metrics.intervals import Draws, share_interval
from verbatim.metrics.ranking import rank_cliques
from verbatim.metrics.roc import auc_interval, pass_threshold, weighted_auc
from verbatim.tables.blind import BLIND, describe_captions, score_words
from verbatim.tables.statistics import EvaluationSettings, split_groups
from verbatim.tables.text import name_preset
from verbatim.tables.truth import judge, list_captions, list_prompts

WHITEBOX = ("dcs_reference", "dcs_paper", "wen_first_step", "guidance_cosine")
BLACKBOX = ("ecs_reference", "ecs_paper", "ecs_world", "seed_consistency", "seed_ssim")
POSTFILTER = ("clique", "agreement")
POSITIVES = ("full", "copied")
NEGATIVES = ("held_out", "repeated", "single", "held_out_all")


def describe_prompts(
    prompts: pd.DataFrame, labels: pd.DataFrame, truth: pd.DataFrame
) -> pd.DataFrame:
    """The world's prompts that a model was asked about, with their kind and its verdict.

    Parameters
    ----------
    prompts : a `prompts` table; prompts that the truth does not know are left out
    labels, truth : tables of these names

    Returns
    -------
    prompt_id, caption, kind, count, match, match_kind (kind of the image that a held-out one was
    matched to, "" for all others), match_group (that image's group), group, verdict (empty if no label was asked for), judged
    (has a verdict; without one mv and copied are False), mv (its own image
    was generated, MV), copied (labelled MV, RV or TV)
    """
    known = list_prompts(truth)
    known = known[known["prompt_id"].isin(prompts["prompt_id"])]
    verdicts = judge(labels, truth)[["prompt_id", "verdict", "judged", "mv", "copied"]]
    table = known.merge(verdicts, on="prompt_id", how="left")
    table["verdict"] = table["verdict"].fillna("")
    kind_of = truth[truth["match"] < 0].drop_duplicates("image_id").set_index("image_id")["kind"]
    group_of = list_captions(truth).drop_duplicates("image_id").set_index("image_id")["group"]
    at = list(table.columns).index("match") + 1
    table.insert(at, "match_kind", table["match"].map(kind_of).fillna(""))
    table.insert(at + 1, "match_group", table["match"].map(group_of).fillna(""))
    for name in ("judged", "mv", "copied"):
        table[name] = table[name].eq(True)
    return table


def join_scores(
    whitebox: pd.DataFrame, blackbox: pd.DataFrame, postfilter: pd.DataFrame | None = None
) -> pd.DataFrame:
    """All detectors of one model, one row for each prompt (index prompt_id), one column for each detector.

    High means a copy is expected. NaN where a stage of the cascade did not see the prompt.
    `clique` is minus the rank of the post-filter (`rank_cliques`), `agreement` minus the mean
    distance between full generations; neither is there without a post-filter.
    """
    parts = [whitebox[["prompt_id", *WHITEBOX]], blackbox[["prompt_id", *BLACKBOX]]]
    if postfilter is not None:
        clique = {
            "prompt_id": postfilter["prompt_id"],
            "clique": -rank_cliques(postfilter).astype(float),
            "agreement": -postfilter["mean_distance"],
        }
        parts.append(pd.DataFrame(clique))
    return pd.concat([part.set_index("prompt_id") for part in parts], axis=1).sort_index()


def add_detectors(scores: pd.DataFrame, detectors: pd.DataFrame) -> pd.DataFrame:
    """The scores with a column for each score of a `detector_scores` table; NaN where it did not see the prompt.

    Parameters
    ----------
    scores : from `join_scores`
    """
    table = detectors.pivot(index="prompt_id", columns="score", values="value")
    return scores.join(table.rename_axis(columns=None), how="left")


def presets_of(blackbox: pd.DataFrame, postfilter: pd.DataFrame | None = None) -> dict[str, str]:
    """Preset of each score; "" for one that has none. The seeds' agreement is of the images that
    the ranking preset of ECS judges."""
    ranking = name_preset(blackbox)
    filtering = "" if postfilter is None else name_preset(postfilter)
    named = {
        name: name.split("_", 1)[1]
        for name in (*WHITEBOX, *BLACKBOX)
        if name.startswith(("dcs_", "ecs_"))
    }
    of_images = dict.fromkeys(("seed_consistency", "seed_ssim"), ranking)
    return named | of_images | dict.fromkeys(POSTFILTER, filtering)


def define_sets(prompts: pd.DataFrame) -> dict[tuple[str, str], tuple[pd.Series, pd.Series]]:
    """Positives and negatives of every comparison, as Boolean masks over `prompts`.

    Positives: `full` (all planted full duplicates), `copied` (those of them whose image the model was
    seen to draw: label MV; of full ones alone, as the negatives are matched to these: copies of other
    kinds have captions of another style, which a score that reads nothing else would tell). Negatives:
    `held_out` (never trained on, matched to full duplicates by subject and length; `kinds.csv` has the
    negatives of the other kinds), `repeated` (as frequent, but with nothing to copy), `single` (trained
    on once), `held_out_all` (all that were never trained on: more of them, so that low false positive
    rates can be read, but matched to every kind together). What was drawn is known of judged prompts alone, so beside `copied` the negatives too are
    judged prompts.
    """
    judged = prompts["judged"]
    positives = {
        "full": prompts["kind"].eq("full"),
        "copied": prompts["kind"].eq("full") & prompts["mv"] & judged,
    }
    negatives = {
        "held_out": prompts["kind"].eq("held_out") & prompts["match_kind"].eq("full"),
        "repeated": prompts["kind"].eq("repeated"),
        "single": prompts["kind"].eq("single"),
        "held_out_all": prompts["kind"].eq("held_out"),
    }
    return {
        (p, n): (positives[p], negatives[n] & judged if p == "copied" else negatives[n])
        for p in POSITIVES
        for n in NEGATIVES
    }


def fill_unscored(values: pd.Series) -> pd.Series:
    """The scores, with one below them all for the prompts that have none (NaN); all NaN where nobody has one."""
    return values.fillna(np.nextafter(values.min(), -np.inf)) if values.notna().any() else values


def read_tail(
    scores: pd.Series,
    is_positive: pd.Series,
    groups: pd.Series,
    half: np.ndarray,
    settings: EvaluationSettings,
    comparable: bool,
) -> dict[str, float | str]:
    """True positive rates at the configured false positive rates, with intervals.

    Returns
    -------
    tpr, tpr_low, tpr_high, fpr (reached), then the same of every strict rate, e.g. tpr_0.01; NaN
    where it cannot be read, and `tpr_note` says why. half : of each prompt. comparable: False for scores of several fits,
    which share no threshold.
    """
    line: dict[str, float | str] = {}
    notes: list[str] = []
    for rate in (settings.fpr, *settings.fpr_strict):
        suffix = "" if rate == settings.fpr else f"_{rate:g}"
        passed, note = None, "scores of several fits share no threshold"
        if comparable:
            passed, note = pass_threshold(scores, is_positive, half, rate)
        share, reached = (float("nan"),) * 3, float("nan")
        if passed is None:
            notes.append(note)
        else:
            positive = is_positive.to_numpy()
            share = share_interval(
                passed[positive], groups[is_positive], settings.resamples, settings.confidence,
                settings.seed,
            )  # fmt: skip
            reached = float(passed[~positive].mean())
        names = (f"tpr{suffix}", f"tpr{suffix}_low", f"tpr{suffix}_high", f"fpr{suffix}")
        line |= dict(zip(names, (*share, reached), strict=True))
    return line | {"tpr_note": "; ".join(dict.fromkeys(notes))}


def score_detectors(
    prompts: pd.DataFrame, scores: pd.DataFrame, settings: EvaluationSettings
) -> pd.DataFrame:
    """Evaluate every detector of one model against every set of negatives.

    A detector is judged with its cascade: a prompt that an earlier stage dropped was not found, so
    a prompt without a score counts as the lowest, on either side. Extra prompts pass every stage
    and all the others have to be selected, so an area over scored prompts alone (`auc_scored`)
    compares all held-out prompts with the selected positives. `auc` is on the careful side there:
    a held-out prompt that the cascade would have dropped keeps its score.

    Parameters
    ----------
    prompts : from `describe_prompts`
    scores : from `join_scores`

    Returns
    -------
    detector, blind (calls no model), positives, negatives, auc, low, high, auc_scored (area among
        the prompts with a score), tpr, fpr (reached on the half that did not choose the
        threshold), n_pos, n_neg (prompts compared), share_pos, share_neg (of these, with a score:
        the cascade hands on only the best), judged_pos, judged_neg (of these, with a verdict),
        found (share of the judged positives whose image was drawn: MV), alarms (share of the
        judged negatives that are labelled a copy); then what `read_tail` adds. auc, low, high, tpr
        and fpr count unscored prompts as the lowest. NaN where there is nothing to compare or to
        count.
    """
    table = prompts.reset_index(drop=True)
    judged = table["judged"]
    blind = describe_captions(table["caption"])
    known = scores.reindex(table["prompt_id"]).reset_index(drop=True)
    # a planted image and its negatives share a fold: apart, either would tell what the other is not
    sets_of = table.assign(
        group=table["group"].where(table["match_group"].eq(""), table["match_group"])
    )
    draws = Draws(settings.resamples, settings.confidence, settings.seed)
    rows = []
    for (positives, negatives), (is_pos, is_neg) in define_sets(table).items():
        either = is_pos | is_neg
        words, part = score_words(sets_of, is_pos, is_neg, settings.folds, settings.seed)
        half = split_groups(table.loc[either, "group"], is_pos[either], 2, settings.seed)
        columns = {name: known[name] for name in known.columns}
        columns |= {name: blind[name] for name in blind.columns} | {"bag_of_words": words}
        for name, values in columns.items():
            scored = values.notna()
            x, y, group = fill_unscored(values[either]), is_pos[either], table.loc[either, "group"]
            strata = part[either] if name == "bag_of_words" else None
            auc, low, high = auc_interval(x, y, group, draws, strata)
            tail = read_tail(x, y, group, half, settings, strata is None)
            rows.append(
                {
                    "detector": name, "blind": name in BLIND, "positives": positives,
                    "negatives": negatives, "auc": auc, "low": low, "high": high,
                    # the bag of words scores everyone, and compares within a fit only
                    "auc_scored": auc if strata is not None else _auc(x, y, scored[either]),
                    "tpr": tail["tpr"], "fpr": tail["fpr"], "n_pos": int(is_pos.sum()),
                    "n_neg": int(is_neg.sum()), "share_pos": _mean(scored[is_pos]),
                    "share_neg": _mean(scored[is_neg]), "judged_pos": int((is_pos & judged).sum()),
                    "judged_neg": int((is_neg & judged).sum()),
                    "found": _mean(table.loc[is_pos & judged, "mv"]),
                    "alarms": _mean(table.loc[is_neg & judged, "copied"]),
                } | tail
            )  # fmt: skip
    return pd.DataFrame(rows)


def _auc(x: pd.Series, positive: pd.Series, some: pd.Series) -> float:
    """Area under the ROC curve among the prompts of `some` alone; NaN where a side has none."""
    chosen = some.to_numpy(bool)
    values, y = x.to_numpy(float)[chosen], positive.to_numpy(bool)[chosen]
    return float(weighted_auc(values, y, np.ones((1, len(y))))[0]) if y.any() else float("nan")


def _mean(values: ArrayLike) -> float:
    """Mean of `values`; NaN if there are none."""
    array = np.asarray(values, float)
    return float(array.mean()) if array.size else float("nan")
