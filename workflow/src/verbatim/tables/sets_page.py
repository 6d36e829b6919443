"""Two pages on published prompt sets: how far captions alone go, and what scores add to them."""

from __future__ import annotations

import pandas as pd

from verbatim.tables.page import Section, render_page

BASELINES = Section(
    "Blind baselines",
    "Area under the ROC curve with its bootstrap interval over families, and true positive rates at the threshold of one half "
    "of the families judged on the other. bag_of_words and style are fitted on other folds; the direction of the other "
    "baselines is the one that separates better.",
    ("set", "negatives", "detector", "direction", "auc [low, high]", "tpr [tpr_low, tpr_high]", "fpr",
     "tpr_0.01 [tpr_0.01_low, tpr_0.01_high]", "fpr_0.01", "n_pos", "n_neg", "families", "tpr_note"),
)  # fmt: skip
CAPTIONS_ALONE = {
    "sets": Section(
        "How far captions alone go",
        "The best of the baselines that read the captions and call no model. A set on which it is near 1 cannot show that a "
        "detector sees memorization. Families are near-duplicate captions, or captions of one image; mixed ones have prompts "
        "of both sides. Counts of rows left out are of the published files.",
        ("set", "negatives", "n_pos", "n_neg", "best_blind", "auc [low, high]", "families", "largest", "mixed",
         "in_families", "repeated", "both", "unusable"),
    ),
    "baselines": BASELINES,
    "overlaps": Section(
        "What sides share",
        "Prompts of one side that another has too: with the same text, with the same words, or as a near-duplicate. Prompts that "
        "are positives of one set and negatives of another contradict each other.",
    ),
    "families": Section(
        "Families of two prompts and more",
        "Near-duplicate captions are one piece of evidence: folds and bootstrap draws never split a family.",
    ),
    "matches": Section(
        "Matched negatives",
        "Captions of the training data beside the positive that they were matched to. Nobody looked whether the model "
        "memorized them.",
    ),
}  # fmt: skip
SCORES = {
    "scores": Section(
        "Scores beside the best blind baseline",
        "gain: area of the score minus that of the best blind baseline, with the interval of the difference on the same draws of "
        "families. A score whose gain is not above 0 shows no more than the captions do. share_pos and share_neg: prompts with "
        "a score; one without counts as the lowest.",
        ("set", "negatives", "model", "detector", "preset", "auc [low, high]", "best_blind", "best_auc",
         "gain [gain_low, gain_high]", "tpr_0.01 [tpr_0.01_low, tpr_0.01_high]", "fpr_0.01", "n_pos", "n_neg", "families",
         "share_pos", "share_neg", "tpr_note"),
    ),
    "baselines": BASELINES,
}  # fmt: skip


def render_captions(template: str, style: str, tables: dict[str, pd.DataFrame]) -> str:
    """The page of what needs no checkpoint.

    template, style : as for `render_page`. tables : sets, baselines, overlaps, families, matches.
    """
    lead = [_told(line) for line in tables["sets"].to_dict("records")]
    title = "Published prompt sets: captions alone"
    return render_page(template, style, tables, CAPTIONS_ALONE, title, lead)


def render_scores(template: str, style: str, scores: pd.DataFrame) -> str:
    """The page of `set_scores.csv`. template, style : as for `render_page`."""
    blind = scores["blind"].astype(bool)
    once = scores[blind].drop_duplicates(["set", "negatives", "detector"])
    tables = {"scores": scores[~blind], "baselines": once}
    title = "Published prompt sets: scores and captions"
    return render_page(template, style, tables, SCORES, title)


def _told(line: dict) -> str:
    """One sentence on a set and its negatives."""
    if line["negatives"] == "none":
        return f"{line['set']} is published without negatives: {line['n_pos']} prompts in {line['families']} families."
    kind = line["negatives"].replace("_", " ")
    interval = f" [{line['low']:.3f}, {line['high']:.3f}]" if pd.notna(line["low"]) else ""
    return (
        f"{line['set']}, {kind} negatives: {line['best_blind'].replace('_', ' ')} alone has an area under the ROC curve of "
        f"{line['auc']:.3f}{interval}, over {line['n_pos']} and {line['n_neg']} prompts in {line['families']} families."
    )
