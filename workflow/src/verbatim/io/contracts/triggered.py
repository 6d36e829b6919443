"""Tables of prompts that are searched without captions: target `triggers`."""

from verbatim.io.contracts.sentences import HIGH, LOW, MODEL, REASON, SEED, Table

FOLDER = "detectors/{model}/triggers"
METHOD = (
    "How prompts were found: words (every word of the tokenizer alone), gibbs (the search), random (as many prompts of random words), or "
    "captions (the known captions, by DCS)."
)
PROMPT_ID = "Key of the prompt: a hash of its text, from 0."
ENERGY = "Squared norm of what the prompt changes in the first prediction, from 0"
TRIGGERED = {
    "trigger_chains": Table(
        f"{FOLDER}/{{method}}/chains.parquet",
        "a prompt that a chain keeps, chain after chain, the highest energy first",
        {
            "prompt_id": "Number of the chain, from 0; of the method words, number of the word in the alphabetical list.",
            "prompt": "Text of the prompt.",
            "energy": f"{ENERGY}, with the noise of the step.",
            "step": "Step of the chain at which the prompt was proposed, from 0; -1 for a method without steps.",
        },
    ),
    "trigger_prompts": Table(
        f"{FOLDER}/{{method}}/prompts.parquet",
        "a prompt that is generated",
        {
            "prompt_id": PROMPT_ID,
            "prompt": "Text of the prompt.",
            "energy": f"{ENERGY}; of a known caption its DCS.",
            "place": "Place in the ranking; 0 is the highest energy.",
        },
    ),
    "trigger_generations": Table(
        f"{FOLDER}/{{method}}/generations.parquet",
        "a generation of such a prompt; its image is in images.zip",
        {
            "prompt_id": PROMPT_ID,
            "seed": SEED,
            "status": "One of: ok or failed.",
            "reason": REASON,
        },
    ),
    "trigger_labels": Table(
        f"{FOLDER}/labels.parquet",
        "a generation of a method, judged alone",
        {
            "method": METHOD,
            "prompt_id": PROMPT_ID,
            "seed": SEED,
            "status": "One of: ok or failed.",
            "nearest": "RMSE to the nearest of all training images, 0 to 1; NaN if the generation failed.",
            "nearest_row": "Training row of that image; -1 if the generation failed.",
            "label": "RV, TV, N or missing, as the labels define them; a prompt that was found has no training row, so an exact copy is RV.",
            "source_row": "Training row of the pair that decided; -1 if there is none.",
            "distance": "RMSE of that pair, 0 to 1, for TV under the mask; NaN if nothing was compared.",
            "distance_tv": "Least RMSE under a template mask, 0 to 1; NaN if there is no mask.",
            "mask_area": "Share of the image under the nearest template mask, 0 to 1; NaN if there is none.",
            "review": "Whether a guard of the labels doubts the copy; then it is not counted.",
            "review_reason": "Guards that doubt the copy; empty otherwise.",
            "cluster": "Number of the cluster of generations of this method that repeat, from 0; -1 if this one does not.",
        },
    ),
    "tables/triggers.csv": Table(
        "tables/triggers.csv",
        "a model and a method",
        {
            "model": MODEL,
            "method": METHOD,
            "tried": "Number of prompts that were scored.",
            "search_rows": "Network rows of these scores; of the captions those of the white-box attack.",
            "prompts": "Number of prompts that were generated.",
            "generation_rows": "Network rows of these generations.",
            "generations": "Number of these generations.",
            "missing": "Number of generations that failed.",
            "repeats": "Number of clusters of generations that repeat: what is seen without any training image.",
            "prompts_copying": "Number of prompts with a generation that is labelled a copy of any training image or template.",
            "images": "Number of different duplicated images that come back, of those that come back from a known caption of this model.",
            "images_known": "Number of duplicated images that come back from a known caption, by the labels of this model.",
            "images_share": "Share of the two, 0 to 1; NaN where none comes back from a caption.",
            "images_low": LOW,
            "images_high": HIGH,
            "images_beyond": "Number of other duplicated images that come back, which no known caption gave back.",
            "templates": "Number of template families that come back, of those that come back from a known caption of this model.",
            "templates_known": "Number of template families that come back from a known caption, by the labels of this model.",
            "templates_share": "Share of the two, 0 to 1; NaN where none comes back from a caption.",
            "templates_low": LOW,
            "templates_high": HIGH,
            "templates_beyond": "Number of other template families that come back.",
            "once": "Number of images, trained on once and of no template, that a generation is labelled a copy of: false, or memorized after one look.",
        },
    ),
}
TABLES = {"triggers": TRIGGERED}
