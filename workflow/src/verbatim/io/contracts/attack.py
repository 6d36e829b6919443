"""Tables of the stages whitebox, blackbox and postfilter, and of what each stage costs."""

from verbatim.io.contracts.sentences import (
    MODEL,
    N_SEEDS,
    PRESET,
    PROMPT_ID,
    RANK,
    SECONDS,
    SEED,
    UNET_ROWS,
    Table,
)

DCS_REFERENCE = "DCS as in the public code: guided, mean of the squares over the latent (Webster 2023, eq. 1); NaN if not finite."
DCS_PAPER = "DCS as in the text: conditional prediction, sum of the squares over the latent (Webster 2023, eq. 1); NaN if not finite."
WEN = "Norm of the text-conditional part of the first prediction (after Wen 2024, eq. 3), from 0; NaN if not finite."
COSINE = "Cosine of that part with the unconditional prediction over the whole latent, -1 to 1; NaN if not finite."
ECS = "Share of pixels that are an edge in most seeds, 0 to 1, by the preset `{}` (Webster 2023, eq. 3); NaN if no seed gave an image."
WHITEBOX = {
    "whitebox_seeds": Table(
        "whitebox/{model}/seeds.parquet",
        "a prompt and seed",
        {
            "prompt_id": PROMPT_ID,
            "seed": SEED,
            "dcs_reference": DCS_REFERENCE,
            "dcs_paper": DCS_PAPER,
            "wen_first_step": WEN,
            "guidance_cosine": COSINE,
        },
    ),
    "whitebox": Table(
        "whitebox/{model}/scores.parquet",
        "a prompt; scores are means over seeds",
        {
            "prompt_id": PROMPT_ID,
            "dcs": "The DCS of the configured preset, by which prompts are ranked.",
            "dcs_reference": DCS_REFERENCE,
            "dcs_paper": DCS_PAPER,
            "wen_first_step": WEN,
            "guidance_cosine": COSINE,
            "n_seeds": N_SEEDS,
            "preset": PRESET,
            "rank": RANK,
        },
    ),
}
BLACKBOX = {
    "blackbox": Table(
        "blackbox/{model}/scores.parquet",
        "a prompt",
        {
            "prompt_id": PROMPT_ID,
            "ecs": "The ECS of the configured preset, by which prompts are ranked.",
            "ecs_reference": ECS.format("reference"),
            "ecs_paper": ECS.format("paper"),
            "ecs_world": ECS.format("world"),
            "seed_consistency": "Minus the standard deviation of a pixel over seeds, mean over pixels, with values in [0, 1].",
            "seed_ssim": "Mean structural similarity of pairs of the seeds' one-step generations, -1 to 1.",
            "n_seeds": N_SEEDS,
            "preset": PRESET,
            "rank": RANK,
        },
    ),
    "archives": Table(
        "blackbox/{model}/images.parquet, postfilter/{model}/images.parquet",
        "a prompt with images",
        {
            "prompt_id": PROMPT_ID,
            "archive": "Zip that holds the prompt's images, as a path relative to the folder of this table.",
        },
    ),
}
SCORE = "Name of the score, as in detectors.scores; a high value means that a copy is expected."
DETECTORS = {
    "detector_seeds": Table(
        "detectors/{model}/seeds.parquet",
        "a prompt, seed and score",
        {
            "prompt_id": PROMPT_ID,
            "seed": "Seed of the noise, from 0; -1 for a score that compares all seeds.",
            "score": SCORE,
            "value": "Value of the score; NaN if not finite.",
        },
    ),
    "detector_scores": Table(
        "detectors/{model}/detectors.parquet",
        "a prompt and score",
        {
            "prompt_id": PROMPT_ID,
            "score": SCORE,
            "value": "Mean of the score over seeds; NaN if not finite with any of them.",
            "n_seeds": "Number of seeds with a finite score, from 0; at most 1 for a score that compares all seeds.",
            "unet_rows": "Number of network rows that the score alone needs for the prompt with all seeds, without those that all prompts share.",
            "derivatives": "How often one of these rows is differentiated, which costs about as much as one or two further rows.",
        },
    ),
    "detector_tokens": Table(
        "detectors/{model}/tokens.parquet",
        "a token of a prompt that is labelled MV, RV or TV (Wen 2024, section 4.2); in audit/tokens.parquet, of a caption whose image "
        "was given back",
        {
            "prompt_id": PROMPT_ID,
            "position": "Place of the token between begin and end of the text, from 0.",
            "token": "The token, as the model's tokenizer writes it.",
            "word_position": "Place of the word that the token is a part of, from 0.",
            "word": "Text of that word.",
            "gradient": "Norm of the gradient of the first step's norm of Wen 2024 by the token's embedding, mean over seeds, from 0; a high "
            "one means that the token triggers the copy; NaN if not finite.",
        },
    ),
}
POSTFILTER = {
    "postfilter": Table(
        "postfilter/{model}/scores.parquet",
        "a prompt (Carlini et al. 2023, section 4.2)",
        {
            "prompt_id": PROMPT_ID,
            "n_images": "Number of full generations that were compared, from 0.",
            "clique_size": "Number of generations in the largest clique of near-copies, from 0.",
            "clique_distance": "Mean tiled distance inside the clique, 0 to 1; NaN if no two generations are near-copies.",
            "mean_distance": "Mean tiled distance of all pairs of generations, 0 to 1; NaN for fewer than two.",
            "kept": "Whether the clique is large enough to keep the prompt.",
            "certain": "Whether further generations could not change `kept`.",
            "unet_rows": UNET_ROWS,
            "preset": PRESET,
            "rank": RANK,
        },
    ),
}
COSTS = {
    "costs": Table(
        "{stage}/{model}/cost.parquet",
        "a stage, model and preset; under shards/ a job that called a network",
        {
            "stage": "Stage that called the network.",
            "model": MODEL,
            "prompts": "Number of prompts.",
            "unet_rows": UNET_ROWS,
            "seconds": SECONDS,
            "preset": PRESET,
        },
    ),
    "spent": Table(
        "{stage}/{model}/kept/",
        "a prompt; its share of the job that generated for it",
        {
            "prompt_id": PROMPT_ID,
            "stage": "Stage that called the network.",
            "unet_rows": UNET_ROWS,
            "seconds": SECONDS,
        },
    ),
}
TABLES = {
    "whitebox": WHITEBOX,
    "blackbox": BLACKBOX,
    "detectors": DETECTORS,
    "postfilter": POSTFILTER,
    "costs": COSTS,
}
