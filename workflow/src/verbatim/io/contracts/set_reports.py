"""CSV tables of the stage tables on published prompt sets."""

from verbatim.io.contracts.sentences import (
    BLIND,
    DETECTOR,
    FPR,
    MODEL,
    N_NEG,
    N_POS,
    SCORE_PRESET,
    STRICT,
    TPR,
    TPR_HIGH,
    TPR_LOW,
    Table,
)

SET = "Name of the set, as in prompt_sets.sets."
NEGATIVES = "Kind of negatives: published, same_template or same_subject (matched to the positives beside them), or none."
SET_AUC = (
    "Area under the ROC curve, 0 to 1; values of a fitted baseline are compared within a fold."
)
SET_LOW = (
    "Lower end of the interval of the area: bootstrap over families of near-duplicate captions."
)
SET_TPR = {
    "tpr": TPR.format("the share tables.fpr"),
    "tpr_low": TPR_LOW,
    "tpr_high": TPR_HIGH,
    "fpr": FPR,
    **STRICT,
    "tpr_note": "Why a rate is empty, or that the log odds of several fits share one threshold.",
    "n_pos": N_POS,
    "n_neg": N_NEG,
    "families": "Number of families of near-duplicate captions, or of captions of one image.",
}
DIRECTION = "Whether positives have a high or a low value; of a single number that reads the caption the better one is taken."
SETS = {
    "tables/prompt_sets.csv": Table(
        "tables/prompt_sets.csv",
        "a published prompt set and kind of negatives (target `prompt_sets`)",
        {
            "set": SET,
            "negatives": NEGATIVES,
            "n_pos": "Number of positives, each text once; beside matched negatives those that one was found for.",
            "n_neg": N_NEG,
            "families": "Number of families of near-duplicate captions, or of captions of one image.",
            "largest": "Number of prompts of the largest family.",
            "mixed": "Number of families with prompts of both sides.",
            "in_families": "Share of the positives that share a family with another positive, 0 to 1.",
            "repeated": "Number of published rows whose text stands before them on their side.",
            "both": "Number of published texts that are on both sides, and are left out.",
            "unusable": "Number of published rows without a usable text.",
            "best_blind": "Blind baseline of the largest area; empty without negatives.",
            "auc": "Area under the ROC curve of this baseline, 0 to 1.",
            "low": SET_LOW,
            "high": "Upper end of the same interval.",
        },
    ),
    "tables/set_baselines.csv": Table(
        "tables/set_baselines.csv",
        "a set, kind of negatives and baseline that reads the captions alone (target `prompt_sets`)",
        {
            "set": SET,
            "negatives": NEGATIVES,
            "detector": "Baseline: caption_length (characters), words, capitals (share of the letters), capitalised_words (share of "
            "the words), style (logistic regression on seven such numbers), or bag_of_words (on the words).",
            "direction": DIRECTION,
            "auc": SET_AUC,
            "low": SET_LOW,
            "high": "Upper end of the same interval.",
            **SET_TPR,
        },
    ),
    "tables/set_overlaps.csv": Table(
        "tables/set_overlaps.csv",
        "a side of a set, and another side of this or another set (target `prompt_sets`)",
        {
            "set": SET,
            "side": "Published side: positive or negative.",
            "other_set": "Name of the set that is compared with.",
            "other_side": "Side of it that is compared with.",
            "prompts": "Number of texts of the side, each once.",
            "equal": "Number of these that the other side has too, character by character.",
            "same_words": "Number of these of whose words the other side has the same set, in any order and case.",
            "near": "Number of these with a near-duplicate on the other side (prompt_sets.family).",
            "share_near": "Share of near among the prompts, 0 to 1.",
        },
    ),
    "tables/set_families.csv": Table(
        "tables/set_families.csv",
        "a family of two prompts or more, the largest of a set first (target `prompt_sets`)",
        {
            "set": SET,
            "negatives": NEGATIVES,
            "family": "Number of the family in its comparison, from 0.",
            "prompts": "Number of its prompts.",
            "positives": "Number of its positives.",
            "caption": "Text of its first prompt.",
        },
    ),
    "tables/set_matches.csv": Table(
        "tables/set_matches.csv",
        "a negative that was matched to a positive (target `prompt_sets`, with a pool)",
        {
            "set": SET,
            "negatives": NEGATIVES,
            "caption": "Text of the negative, from the captions of the training data.",
            "positive": "Text of the positive.",
            "overlap": "Jaccard index of the words of both, 0 to 1.",
        },
    ),
    "tables/set_scores.csv": Table(
        "tables/set_scores.csv",
        "a model, set, kind of negatives and detector (target `prompt_sets`, with dedup.prompt_list)",
        {
            "model": MODEL,
            "set": SET,
            "negatives": NEGATIVES,
            "detector": DETECTOR,
            "blind": BLIND,
            "direction": DIRECTION,
            "auc": SET_AUC + " Prompts without a score count as the lowest.",
            "low": SET_LOW,
            "high": "Upper end of the same interval.",
            **SET_TPR,
            "share_pos": "Share of the positives with a score, 0 to 1.",
            "share_neg": "Share of the negatives with a score, 0 to 1.",
            "best_blind": "Blind baseline of the largest area on the same prompts.",
            "best_auc": "Area under the ROC curve of this baseline, 0 to 1.",
            "gain": "Area of the score minus that of the best blind baseline, -1 to 1; empty for the baselines.",
            "gain_low": "Lower end of its interval: bootstrap over families, both areas on the same draws.",
            "gain_high": "Upper end of the same interval.",
            "preset": SCORE_PRESET,
        },
    ),
}
