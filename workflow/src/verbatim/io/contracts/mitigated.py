"""Tables of mitigations that are attacked again: target `mitigations`."""

from verbatim.io.contracts.sentences import (
    CAPTION,
    HIGH,
    LOW,
    MODEL,
    N_NEG,
    N_POS,
    PROMPT_ID,
    REASON,
    Table,
)

FOLDER = "mitigation/attacked/{model}"
DEFENCE = "Defence behind which the model was asked, as in mitigation.attacked.defences; none for the model alone."
ATTACK = (
    "How the model was asked: prompt (with the prompt), embedding or random (with an adversarial embedding whose search started at the "
    "prompt's embedding, or at noise), or other seeds (with the prompt, for what differs by chance)."
)
GROUP = (
    "Group of the prompt: memorized (its image is planted as a full duplicate), once (its image was trained on once) or never (never "
    "trained on)."
)
START = (
    "Where the search of the embedding started: embedding (at the prompt's) or random (at noise)."
)
SEED = "Seed of the generation's noise, from 0."


def share(name: str, what: str) -> dict[str, str]:
    """A share over prompts and its interval."""
    return {
        name: f"Share of {what}, 0 to 1; a prompt counts if any of its generations does.",
        f"{name}_low": "Lower end of Wilson's interval of that share.",
        f"{name}_high": "Upper end of the same interval.",
    }


def back(start: str) -> dict[str, str]:
    """What the second attack brings back."""
    of = f"adversarial embeddings of start {start}"
    found = "whose very image comes back: a generation is within the threshold of the exact label"
    return share(f"recovered_{start}", f"the memorized images with {of} {found}") | share(
        f"control_{start}", f"the images that are not memorized with {of} {found}"
    )


MITIGATED = {
    "mitigation_neurons": Table(
        f"{FOLDER}/neurons.parquet",
        "a prompt and one of its memorizing neurons (Hintersdorf et al. 2024)",
        {
            "prompt_id": PROMPT_ID,
            "layer": "Cross-attention layer of the UNet, by its name there.",
            "neuron": "Output of the layer's value projection, from 0.",
        },
    ),
    "mitigation_embeddings": Table(
        f"{FOLDER}/{{defence}}/embeddings.parquet",
        "an adversarial embedding of a prompt's image, against the weights that the defence leaves",
        {
            "prompt_id": PROMPT_ID,
            "start": START,
            "tokens": "Number of tokens of the embedding.",
            "states": "The embedding, token after token.",
        },
    ),
    "mitigation_attacked": Table(
        f"{FOLDER}/{{defence}}/generations.parquet",
        "a generation behind a defence",
        {
            "generation": "Number of the generation, from 0; the archive member is {generation}.png.",
            "prompt_id": PROMPT_ID,
            "seed": SEED,
            "attack": ATTACK,
            "prompt": "Text that the model received, after the defence; empty where it received an embedding.",
            "status": "One of: ok or failed.",
            "reason": REASON,
        },
    ),
    "mitigation_scores": Table(
        f"{FOLDER}/{{defence}}/scores.parquet",
        "a prompt, seed and score, computed with what the defence leaves of embedding, weights and initial noise",
        {
            "prompt_id": PROMPT_ID,
            "seed": "Seed of the noise, from 0; -1 for a score that compares all seeds.",
            "score": "Name of the score; a high value means that a copy is expected.",
            "value": "Value of the score; NaN if not finite.",
        },
    ),
    "mitigation_spent": Table(
        f"{FOLDER}/{{defence}}/spent.parquet",
        "a group of prompts",
        {
            "group": GROUP,
            "generations": "Number of generations.",
            "unet_rows": "Number of rows that went through the network for them, those of the defence among them.",
            "with_gradient": "Those of these rows that a gradient was asked for: a backward pass costs about two further rows.",
        },
    ),
    "mitigation_checks": Table(
        f"{FOLDER}/checks.parquet",
        "a generation behind a defence",
        {
            "defence": DEFENCE,
            "attack": ATTACK,
            "prompt_id": PROMPT_ID,
            "seed": SEED,
            "own": "RMSE to the prompt's own image, 0 to 1; NaN if the generation failed. No model saw the own image of a prompt of group never.",
            "nearest": "RMSE to the nearest of all training images, 0 to 1; NaN if the generation failed.",
            "clip_score": "Cosine of the embeddings of the generation and of the prompt that was given, -1 to 1; NaN if it failed.",
        },
    ),
    "mitigation_quality": Table(
        f"{FOLDER}/quality.parquet",
        "a defence",
        {
            "defence": DEFENCE,
            "n_frechet": "Number of generations of prompts that are not memorized.",
            "frechet": "Frechet distance of their embeddings to those without a defence, same prompts and seeds; in the row none to those "
            "without a defence of other seeds, which is what chance makes of it. NaN for fewer than two.",
        },
    ),
}
SIDE_BY_SIDE = {
    "mitigated": Table(
        "tables/mitigated.parquet",
        "a prompt that mitigations are tested on",
        {
            "prompt_id": PROMPT_ID,
            "caption": CAPTION,
            "image_id": "Number of the caption's image among the world's images, from 0.",
            "group": f"{GROUP[:-1]}; or reference (a caption of another image that was trained on once, for NeMo's statistics).",
            "known": "Whether a defence that learns from prompts may know it: every second memorized one, and the reference.",
            "searched": "Whether adversarial embeddings of its image are searched for.",
        },
    ),
    "tables/mitigations.csv": Table(
        "tables/mitigations.csv",
        "a model and defence",
        {
            "model": MODEL,
            "defence": DEFENCE,
            "changes": "What the defence changes: nothing, words, tokens, embedding, noise, guidance or weights.",
            "meets_embeddings": "Whether a prompt embedding that is handed in meets the defence; else it passes as it is.",
            **share("copies", "the memorized prompts with a copy of any training image"),
            **share(
                "copies_unknown",
                "the memorized prompts that no defence learned from with a copy of any training image",
            ),
            **share("copies_general", "the other prompts with a copy of any training image"),
            "clip_memorized": "CLIP score of the memorized prompts' generations, mean over prompts, -1 to 1.",
            "clip_memorized_low": LOW,
            "clip_memorized_high": HIGH,
            "clip_general": "CLIP score of the other prompts' generations, mean over prompts, -1 to 1.",
            "clip_general_low": LOW,
            "clip_general_high": HIGH,
            "n_memorized": "Number of memorized prompts.",
            "n_general": "Number of other prompts.",
            "missing": "Number of generations that failed.",
            "rows_memorized": "Network rows of a memorized prompt's generation beyond those without a defence, mean.",
            "gradients_memorized": "Those of the rows that a gradient was asked for, mean.",
            "rows_general": "Network rows of another prompt's generation beyond those without a defence, mean.",
            "gradients_general": "Those of the rows that a gradient was asked for, mean.",
            **back("embedding"),
            **back("random"),
            "n_recovered": "Number of memorized images that were attacked.",
            "n_control": "Number of images that are not memorized and were attacked.",
            "n_frechet": "Number of generations behind the Frechet distance.",
            "frechet": "Frechet distance of the other prompts' generations to those without a defence; in the row none to those of other seeds.",
        },
    ),
    "tables/mitigation_scores.csv": Table(
        "tables/mitigation_scores.csv",
        "a model, defence and score",
        {
            "model": MODEL,
            "defence": DEFENCE,
            "score": "Name of the score; a high value means that a copy is expected.",
            "auc": "Area under the ROC curve, memorized prompts against the others, 0 to 1; NaN without either.",
            "low": LOW,
            "high": HIGH,
            "n_pos": N_POS,
            "n_neg": N_NEG,
            "n_missing": "Number of prompts without a finite score.",
        },
    ),
}
TABLES = {"mitigations": {**SIDE_BY_SIDE, **MITIGATED}}
