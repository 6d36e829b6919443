"""Tables of the stage labels."""

from verbatim.io.contracts.sentences import (
    CAPTION,
    EXTRA,
    OWN_ROW,
    PRESET,
    PROMPT_ID,
    REASON,
    ROW,
    SEED,
    WHY,
    Table,
)

DISTANCE = "Least RMSE of a {}, 0 to 1, whatever the label; NaN if nothing was compared."
PAIR_SEED = "Seed of the generation behind distance_{}; -1 if there is none."
PAIR_ROW = "Training row behind distance_{}; -1 if there is none."
PAIR_CROP = (
    "How that training image was made square: whole, squash, center or pad; empty if there is none."
)
LABELS = {
    "selection": Table(
        "labels/{model}/selection.parquet",
        "a candidate",
        {"prompt_id": PROMPT_ID, "caption": CAPTION, "row": OWN_ROW, "extra": EXTRA, "why": WHY},
    ),
    "generations": Table(
        "labels/{model}/generations.parquet",
        "a line of a closed system's manifest",
        {
            "prompt_id": PROMPT_ID,
            "caption": CAPTION,
            "seed": "Number of the image among its prompt's, from 0; its key in all other tables.",
            "file": "Path of the image, as in the manifest.",
            "given_seed": "Seed that the manifest gives; -1 if it gives none.",
            "steps": "Number of denoising steps that the manifest gives; -1 if it gives none.",
            "status": "One of: ok, missing, broken, refused, or duplicate.",
            "reason": REASON,
        },
    ),
    "neighbours": Table(
        "labels/{model}/neighbours.parquet",
        "a generation and a training row near it by CLIP",
        {
            "prompt_id": PROMPT_ID,
            "seed": SEED,
            "order": "Place among the neighbours of the generation; 0 is the nearest.",
            "row": ROW,
            "similarity": "Cosine similarity of the embeddings, -1 to 1.",
        },
    ),
    "copy_neighbours": Table(
        "labels/{model}/copy_neighbours.parquet",
        "a generation and a training image near it by the copy descriptor of labels.copies",
        {
            "prompt_id": PROMPT_ID,
            "seed": SEED,
            "order": "Place among the training images of the generation; 0 is the most similar.",
            "row": "Training row of the image; of equal files the lowest.",
            "similarity": "Dot product of the two unit vectors, -1 to 1.",
        },
    ),
    "relatives": Table(
        "labels/{model}/relatives.parquet",
        "a training row and one that may be of its template",
        {
            "row": ROW,
            "relative": "Training row that may be of the same template.",
            "similarity": "Cosine similarity of the embeddings, -1 to 1.",
            "order": "Order in which relatives are tried; 0 is the first.",
        },
    ),
    "wanted": Table(
        "labels/{model}/wanted.parquet",
        "a training row whose image is needed",
        {
            "row": ROW,
            "url": "Address of the image; empty if the data set has none.",
            "caption": CAPTION,
            "archive": "Path of the tar that holds the image; empty if no archive has it.",
            "member": "Name of the image in its archive; empty if no archive has it.",
        },
    ),
    "urls": Table(
        "labels/{model}/urls.parquet",
        "a training image that was requested by URL because no archive has it",
        {
            "row": ROW,
            "url": "Address that was requested.",
            "status": "One of: ok, no_url, or the kind of failure.",
            "reason": REASON,
            "sha256": "SHA-256 of the file as sent, in hexadecimal; empty if nothing came.",
            "size": "Size of the file as sent, in bytes; 0 if nothing came.",
            "final_url": "Address after redirects; empty if nothing came.",
        },
    ),
    "fetched": Table(
        "labels/{model}/fetched.parquet",
        "a training image that was needed",
        {
            "row": ROW,
            "caption": "Caption of the row, by which the image is known to be one of a prompt's own.",
            "member": "Name of the image in training.zip; empty if there is none.",
            "status": "One of: ok, missing, or broken.",
            "reason": REASON,
        },
    ),
    "labels": Table(
        "labels/{model}/labels.parquet",
        "a candidate",
        {
            "prompt_id": PROMPT_ID,
            "caption": CAPTION,
            "row": OWN_ROW,
            "extra": EXTRA,
            "why": WHY,
            "label": "MV (copies the prompt's own image), RV (another training image), TV (a training image except for a "
            "region that varies), N (no copy was seen), or missing (nothing could be compared, or the own image could "
            "not be read and no other was copied).",
            "seed": "Seed of the generation of the pair that decided, for N and missing of the nearest pair; -1 if there is none.",
            "source_row": "Training row of that pair; -1 if there is none.",
            "distance": "RMSE of that pair, 0 to 1, for TV under the mask; NaN if nothing was compared.",
            "distance_mv": DISTANCE.format("generation to the prompt's own image"),
            "distance_rv": DISTANCE.format("generation to a retrieved training image"),
            "distance_tv": DISTANCE.format("generation to a training image under its mask"),
            "seed_mv": PAIR_SEED.format("mv"),
            "row_mv": PAIR_ROW.format("mv"),
            "crop_mv": PAIR_CROP,
            "seed_rv": PAIR_SEED.format("rv"),
            "row_rv": PAIR_ROW.format("rv"),
            "crop_rv": PAIR_CROP,
            "seed_tv": PAIR_SEED.format("tv"),
            "row_tv": PAIR_ROW.format("tv"),
            "crop_tv": PAIR_CROP,
            "partner_tv": "Row of the training image that the template mask was made with; -1 if there is none.",
            "partner_crop_tv": "How the partner was made square; empty if there is none.",
            "mask_file": "Name of the best template mask in masks.zip; empty if there is none.",
            "mask_area": "Share of the image that the mask covers, 0 to 1; NaN if there is none.",
            "crop": "How the training image of the pair that decided was made square; empty if there is none.",
            "review": "Whether a guard set the candidate aside (white, flat, low contrast, texture).",
            "review_reason": "Names of the guards, or the reason of missing; empty otherwise.",
            "status": "One of: ok, or missing as the label.",
            "preset": PRESET,
        },
    ),
}
TABLES = {"labels": LABELS}
