"""Tables of the stage evidence."""

from verbatim.io.contracts.sentences import EXTRA, HIGH, LOW, MODEL, PROMPT_ID, Table

EVIDENCE = {
    "verification": Table(
        "evidence/{model}/verification.parquet",
        "a candidate; each generation is compared with the prompt's own and retrieved training images, cropped, padded, "
        "scaled, shifted and mirrored",
        {
            "prompt_id": PROMPT_ID,
            "extra": EXTRA,
            "label": "Label of the candidate in labels.parquet, which the verifier never changes.",
            "seed": "Seed of the generation of the pair with the least `relative`; -1 if nothing was compared.",
            "source_row": "Training row of that pair; -1 if nothing was compared.",
            "image": "Number of that training image in null.parquet; rows with equal bytes are one image; -1 if nothing was compared.",
            "crop": "How that training image was made square: whole, squash, center or pad; empty if nothing was compared.",
            "flip": "Whether that training image was mirrored.",
            "side": "Side of the training image in sides of the generation: above 1 the generation shows a crop of it, below 1 it is padded.",
            "top": "Distance from the top of the generation to the top of the training image, in sides of the generation.",
            "left": "Distance from the left of the generation to the left of the training image, in sides of the generation.",
            "area": "Share of the frame that is covered and not background of both images, 0 to 1.",
            "residual": "Root mean dissimilarity of structure (1 minus the structure part of SSIM) over the best share of that area, 0 to 2.",
            "relative": "Residual divided by a quantile of what unrelated generations reach; NaN if it cannot be computed.",
            "p_pair": "The p-value of the best pair: share of null pairs with a residual as small, one added to both counts.",
            "n_pairs": "Number of pairs that were compared for the prompt.",
            "p": "The p-value of the prompt: p_pair times n_pairs, at most 1 (Bonferroni).",
            "q": "Adjusted p-value among the candidates of the model (Benjamini and Hochberg 1995), 0 to 1.",
            "n_null": "Number of pairs in the null distribution.",
            "verified": "Whether q is at most evidence.test.alpha and there is no doubt.",
            "doubt": "Why a match may mean nothing: white, flat, low contrast, texture or placeholder; empty if there is no doubt.",
            "status": "One of: ok, missing (nothing to compare), or no null (too few unrelated generations).",
        },
    ),
    "null": Table(
        "evidence/{model}/null.parquet",
        "a training image that was compared and a generation that has nothing to do with it",
        {
            "image": "Number of the training image, as in verification.parquet.",
            "residual": "Residual of the pair at its best placement, 0 to 2; infinite if no pixel tells anything.",
        },
    ),
    "evidence/verified.csv": Table(
        "evidence/verified.csv",
        "a model, label and kind of prompt",
        {
            "model": MODEL,
            "name": "Name of the model in Table 1.",
            "label": "Label of the candidates that are counted.",
            "extra": EXTRA,
            "prompts": "Number of candidates.",
            "p_below_alpha": "Number with p at most alpha, without adjustment for the number of prompts.",
            "significant": "Number with q at most alpha.",
            "doubtful": "Number of significant candidates with a doubt.",
            "verified": "Number of significant candidates without a doubt.",
            "expected_false": "Number of false ones that the rate allows among the significant: alpha times `significant`.",
            "alpha": "False discovery rate, as evidence.test.alpha.",
            "n_null": "Number of pairs in the null distribution.",
        },
    ),
    "evidence/sheets/{model}.csv": Table(
        "evidence/sheets/{model}.csv",
        "a pair on the sheet",
        {
            "model": MODEL,
            "number": "Number of the pair on the sheet, from 1.",
            "prompt_id": PROMPT_ID,
            "seed": "Seed of the generation.",
            "row": "Row of the training image.",
            "verdict": "Empty: for the verdict of whoever looks (copy, template or no).",
        },
    ),
    "evidence/confirmed.csv": Table(
        "evidence/confirmed.csv",
        "a model and label",
        {
            "model": MODEL,
            "label": "Label of the prompts that were looked at: MV, RV, TV or N.",
            "n": "Number of verdicts on prompts with this label.",
            "confirmed": "Number of verdicts that agree: copy or template for MV, RV and TV, no for N.",
            "share": "Share of confirmed ones among the verdicts, 0 to 1; empty without verdicts.",
            "low": LOW,
            "high": HIGH,
        },
    ),
}
TABLES = {"evidence": EVIDENCE}
