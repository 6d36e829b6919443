"""The contract of one table, and the sentences that several tables share."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Table:
    """What a table holds.

    file : path below the results folder; braces hold what varies.
    row : what one row is.
    columns : column -> a full sentence on it, in the order of the table.
    """

    file: str
    row: str
    columns: Mapping[str, str]


ROW = "Global number of the training image in the order of the data set, from 0."
OWN_ROW = "Training row of the prompt; -1 if the data set does not have the caption."
PROMPT_ID = "Key of the caption: a hash of its text, from 0."
CAPTION = "Text of the caption."
PROMPT = "Text that the model received as prompt."
EXTRA = (
    "Whether the prompt comes from inputs.extra_prompts or prompt_sets and no ranking selected it."
)
SEED = "Seed of the noise, from 0."
PRESET = "Name of the preset of the thresholds or of the score."
RANK = "Place in the ranking; 0 is the highest score."
N_SEEDS = "Number of seeds with a finite score, from 0; with 0 the scores are NaN and the prompt is ranked last."
REASON = "What went wrong, in words; empty where status is ok."
WHY = "Rankings that selected the prompt, as words joined by commas."
UNET_ROWS = (
    "Number of rows that went through a network; conditional and unconditional rows both count."
)
SECONDS = "Wall time, in seconds."
POINT = "Name of the point, as in the points sheet of the study."
TRAINING_SEED = "Seed of the point's training, from 0."
IMAGE_ID = "Number of the image in its set of drawings, from 0."
PLANTED = "Whether the image is one of those that a point with duplication draws more often."
MEMBER = "Whether the point was trained on the image."
GENERATION = "Number of the generation in its run, from 0; the archive member is {generation}.png."
MODEL = "Key of the model, as in the models sheet."
DETECTOR = "Name of the score; a high value means that a copy is expected."
BLIND = "Whether the score is a baseline that reads the caption alone and calls no model."
SCORE_PRESET = "Preset of the score; empty if the score has none."
LABEL_PRESET = "Preset of the label thresholds behind the counts."
LOW = "Lower end of the interval of the number before it, at the level tables.confidence; NaN if there is none."
HIGH = "Upper end of the interval of the number before it; NaN if there is none."
N_POS = "Number of positive prompts."
N_NEG = "Number of negative prompts."
TPR = (
    "Share of the positives above the threshold that lets {} of the negatives pass, 0 to 1. The threshold is chosen on "
    "one half of the groups and applied to the other, both ways round."
)
FPR = "Share of the negatives above that threshold in the half that did not choose it, 0 to 1."
TPR_LOW = "Lower end of the interval of the true positive rate before it: bootstrap over groups, or Wilson where all or none pass."
TPR_HIGH = "Upper end of the same interval."
STRICT = {
    name: text
    for rate in ("0.01", "0.001")
    for name, text in (
        (f"tpr_{rate}", TPR.format(rate) + " Empty where the negatives are too few."),
        (f"tpr_{rate}_low", TPR_LOW),
        (f"tpr_{rate}_high", TPR_HIGH),
        (f"fpr_{rate}", FPR),
    )
}
