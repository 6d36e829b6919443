"""The list of claims: what the papers say of copying, put so that small models can answer it.

Somepalli 2022: "Diffusion Art or Digital Forgery?" (arXiv 2212.03860). Somepalli 2023: "Understanding and Mitigating
Copying in Diffusion Models" (arXiv 2305.20086). Carlini 2023: "Extracting Training Data from Diffusion Models" (arXiv
2301.13188). Wen 2024: "Detecting, Explaining, and Mitigating Memorization in Diffusion Models" (arXiv 2407.21720).
"""

from __future__ import annotations

from verbatim.claims.claims import FRECHET, SCORE, Claim
from verbatim.claims.designs import (
    Alone,
    Best,
    Defence,
    Kinds,
    Mitigation,
    Pairs,
    Series,
)

RECALL, CLIP_SCORE = "recall", "clip_score"
S22, S23, C23 = "Somepalli 2022", "Somepalli 2023", "Carlini 2023"
WEN = "Wen 2024, section 4"
NOT_ASKED = "not asked in the papers"

TRAINING = {
    "mc": "several captions an image", "gn": "noise on the text features", "rc": "captions replaced at random",
    "rt": "random words in captions", "cwr": "repeated words in captions",
}  # fmt: skip
INFERENCE = {
    "gni": "noise on the prompt's features", "rt": "random words in the prompt",
    "cwr": "repeated words in the prompt", "rna": "random numbers in the prompt",
    "wen": "prompt features optimised (Wen 2024)",
}  # fmt: skip
# in its Table 1 these do not lower the similarity on average, so that for them it is a question
NO_HELP = ("rt", "cwr")

FACTORS = [
    Claim("duplicates_full", "The more often an image is repeated with its caption, the more is copied.",
          f"{S23}, data duplication", SCORE, Series("ddf", "full")),
    Claim("duplicates_recall", "The more often an image is repeated with its caption, the more of the repeated images "
          "come out as copies, pixel by pixel.", f"{S23}, data duplication; {C23}, section 4", RECALL, Series("ddf", "full")),
    Claim("full_over_partial", "Repeating image and caption together is worse than repeating the image with other captions.",
          f"{S23}, duplication and captions, Table 1", SCORE, Kinds("full", "image_only")),
    Claim("full_over_partial_recall", "Of images repeated with their caption more come out as copies than of images repeated "
          "with other captions.", f"{S23}, duplication and captions", RECALL, Kinds("full", "image_only")),
    Claim("partial_lower", "Repeating images with diverse captions gives less similarity than repeating nothing.",
          f"{S23}, Table 1 (0.576 against 0.638)", SCORE, Kinds("none", "image_only")),
    Claim("own_over_fixed", "Models told each image's own caption copy more than models told one caption for all.",
          f"{S23}, conditioning", SCORE, Pairs("conditioning", "own", "fixed")),
    Claim("own_over_class", "Models told each image's own caption copy more than models told its class.",
          f"{S23}, conditioning", SCORE, Pairs("conditioning", "own", "class")),
    Claim("random_over_fixed", "Captions need not describe an image: random words, different for each image, make a model copy more than "
          "one caption for all.", f"{S23}, conditioning", SCORE, Pairs("conditioning", "random", "fixed")),
    Claim("uncond_less", "Models without captions, which are drawn without guidance, copy less than models with them.",
          f"{S23}, abstract", SCORE, Pairs("conditioning", "own", "none")),
    Claim("trained_over_frozen", "Does training the text encoder too make a model copy more than a frozen one?",
          f"{S23}, conditioning", SCORE, Pairs("text_encoder", "trained", "frozen"), question=True),
    Claim("more_data_less", "The more images a model is trained on, the less it copies.",
          f"{S22}, size of the data; {S23}, training regimen", SCORE, Series("images"), sign=-1),
    Claim("longer_more", "The longer a model is trained, the more it copies.",
          f"{S23}, training regimen", SCORE, Series("steps")),
    Claim("cluster_size", "Within a data set, the more often an image is there, the closer are the generations that resemble it.",
          f"{S23}, duplicates in LAION, Fig. 2", "pearson:cluster_size", Alone()),
    Claim("caption_similarity", "Of images that are repeated, those repeated with the same caption are drawn closer than those "
          "repeated with different captions.", f"{S23}, duplicates in LAION, Fig. 2", "similarity_mean:planted",
          Kinds("full", "image_only")),
    Claim("users_above", "Do prompts that users write give generations nearer to training images than images that nobody trained on "
          "are (share above the threshold of a copy)?", f"{S23}, methods (1.2 % of 100,000 generations above 0.5 by SSCD; DiffusionDB)",
          "users_above:over_held_out", Alone("users"), question=True),
    Claim("simple_more_entropy", "Simple images are copied more: the lower an image's entropy, the higher the similarity.",
          f"{S23}, image complexity (r = -0.32)", "pearson:entropy", Alone(), sign=-1),
    Claim("simple_more_jpeg", "Simple images are copied more: the smaller an image's JPEG file, the higher the similarity.",
          f"{S23}, image complexity (r = -0.29)", "pearson:jpeg_bytes", Alone(), sign=-1),
]  # fmt: skip

CARLINI = [
    Claim("loss_tells", "The loss tells members from other images, a little (area under the ROC curve above one half).",
          f"{C23}, section 5.2", "auc:loss", Alone("shadows"), reference=0.5),
    Claim("lira_over_loss", "Membership inference with shadow models (LiRA) is better than a threshold on the loss: area under the curve.",
          f"{C23}, section 5.2", "auc:lira-loss", Alone("shadows")),
    Claim("lira_over_loss_tail", "The same where it matters: members found at 1 % false alarms.",
          f"{C23}, section 5.2", "tpr:lira-loss@0.01", Alone("shadows")),
    Claim("inpainting", "A model completes the hidden half of an image better if it was trained on it.",
          f"{C23}, section 5.3", "auc:inpainting", Alone("shadows"), reference=0.5),
    Claim("outliers_membership", "Images unlike all others are memorised more: their membership is told more surely.",
          f"{C23}, outliers", "spearman:outlier_lira", Alone("shadows")),
    Claim("dedup_extraction", "Without duplicates fewer images are extracted from a model without captions.",
          f"{C23}, section 7.1 (1,280 before, 986 after)", "relative:images", Series("ddf", "full", {"conditioning": "none"})),
]  # fmt: skip


def _mitigations() -> list[Claim]:
    claims = [
        Claim("mc_best", "Several captions an image is the best of the mitigations at training time.",
              f"{S23}, Table 1", SCORE, Best("mc", ("gn", "rc", "rt", "cwr"), True)),
        Claim("rt_best", "Random words in the prompt is the best of the mitigations at inference time.",
              f"{S23}, Table 1", SCORE, Best("rt", ("gni", "cwr", "rna"), False)),
    ]  # fmt: skip
    for when, names in (("train", TRAINING), ("inference", INFERENCE)):
        for name, what in names.items():
            design = Mitigation(name) if when == "train" else Defence(name)
            open_ = name in NO_HELP and when == "train"
            source = WEN if name == "wen" else f"{S23}, Table 1"
            at = "training" if when == "train" else "inference"
            claims.append(
                Claim(f"{when}_{name}_similarity", f"At {at} time: {what} lower the similarity.".replace(
                          " lower", ": does it lower" if open_ else " lower"),
                      source, SCORE, design, question=open_)
            )  # fmt: skip
            claims.append(
                Claim(f"{when}_{name}_recall", f"At {at} time: does {what} lower the share of repeated images that come "
                      "out as copies?", NOT_ASKED, RECALL, design, question=True)
            )  # fmt: skip
            claims += _prices(when, name, what, design, at)
    return claims


def _prices(when: str, name: str, what: str, design: Mitigation | Defence, at: str) -> list[Claim]:
    """What a mitigation costs, and what the attacks still find behind it."""
    place = f"mitigated:{name}" if when == "train" else f"defended:{name}"
    tables = WEN if name == "wen" else f"{S23}, Tables 3 and 4"
    claims = [
        Claim(f"{when}_{name}_frechet", f"At {at} time: does {what} make images worse (Fréchet distance up)?",
              tables, FRECHET, design, sign=-1, question=True),
        Claim(f"{when}_{name}_clip", f"At {at} time: does {what} make images fit their caption less (CLIP score down)?",
              tables, CLIP_SCORE, design, question=True),
    ]  # fmt: skip
    for score, title in (("dcs", "DCS"), ("ecs", "ECS"), ("clique", "the clique filter")):
        claims.append(
            Claim(f"{when}_{name}_{score}", f"At {at} time, behind {what}: does {title} still tell images that are copied from others?",
                  "Webster 2023; not asked in the papers on mitigation", f"auc_copied:{score}", Alone(place),
                  reference=0.5, question=True)
        )  # fmt: skip
    return claims


CLAIMS: list[Claim] = [*FACTORS, *CARLINI, *_mitigations()]
