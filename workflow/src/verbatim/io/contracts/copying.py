"""Tables of the copying study."""

from verbatim.io.contracts.sentences import (
    CAPTION,
    GENERATION,
    HIGH,
    IMAGE_ID,
    LOW,
    MEMBER,
    PLANTED,
    POINT,
    PROMPT,
    REASON,
    TRAINING_SEED,
    Table,
)

ASKED = "Image whose caption was requested; -1 if the point has no captions."
DEFENCE = "Defence that was applied to prompts at inference; none if there was none."
MATCH = "The image_id of the most similar training image."
SIMILARITY = (
    "Dot product of the copy detector's vectors with the most similar training image, -1 to 1."
)
CHANGE = "Difference to no mitigation with the same duplication."


def level(what: str) -> tuple[str, ...]:
    """Sentences for a number, its interval, its change and the interval of that."""
    return (
        f"{what}, ours; NaN if it was not measured.",
        f"Lower end of the interval of {what}.",
        f"Upper end of the interval of {what}.",
        f"Change of {what} against no mitigation with the same duplication.",
        "Lower end of the interval of that change.",
        "Upper end of the interval of that change.",
    )


ENDS = ("", "_low", "_high", "_change", "_change_low", "_change_high")
BESIDE = {
    f"{name}{end}": text
    for name, what in (
        ("recall", "Share of duplicated images that are copied"),
        ("frechet", "Frechet distance"),
        ("clip_score", "CLIP score"),
    )
    for end, text in zip(ENDS, level(what), strict=True)
}
COPYING = {
    "sweep_pool": Table(
        "sweep/pool.parquet",
        "an image that points may be trained on",
        {
            "image_id": IMAGE_ID,
            "caption": CAPTION,
            "group": "Class of the image: its page of 256 Unicode code points.",
            "order": "Place in the order in which points take images; a point of n images takes the first n.",
            "planted": PLANTED,
            "held_out": "Whether no point is trained on the image.",
        },
    ),
    "sweep_rows": Table(
        "sweep/points/{point}/{seed}/rows.parquet",
        "a training image of a point",
        {
            "image_id": IMAGE_ID,
            "caption": "Caption that the image is trained with.",
            "weight": "How often the image is drawn relative to one without duplication; 0 if it is left out.",
            "planted": PLANTED,
            "member": MEMBER,
            "n_captions": "Number of captions that the image is trained with.",
        },
    ),
    "sweep_state": Table(
        "claims/states.parquet, sweep/points/{point}/{seed}/state.parquet",
        "a training",
        {
            "point": POINT,
            "seed": TRAINING_SEED,
            "status": "One of: ok or failed.",
            "reason": REASON,
            "steps": "Number of optimizer steps that were done.",
            "seconds": "Wall time since the training started or was resumed, in seconds.",
            "loss": "Mean loss of the last 50 steps; NaN if there were none.",
        },
    ),
    "mitigation_generations": Table(
        "mitigation/runs/{point}/{seed}/{defence}/generations.parquet",
        "a generation",
        {
            "generation": GENERATION,
            "image_id": ASKED,
            "caption": "Caption that was requested; empty if the point has no captions.",
            "prompt": "Text that the model received, after the defence.",
            "gen_seed": "Seed of the generation's noise, the same for every defence.",
            "planted": PLANTED,
            "member": MEMBER,
            "kind": "One of: one (one image for each of a sample of captions), or more (further images of duplicated and some other captions).",
            "size": "Side of the generation, in pixels.",
        },
    ),
    "membership_scores": Table(
        "membership/runs/{point}/{seed}/{defence}/scores.parquet",
        "a caption that was attacked, behind the defence",
        {
            "image_id": IMAGE_ID,
            "caption": CAPTION,
            "planted": PLANTED,
            "member": MEMBER,
            "dcs": "Denoising Confidence Score (Webster 2023, eq. 1).",
            "ecs": "Edge Consistency Score (Webster 2023, eq. 3), 0 to 1.",
            "clique_size": "Generations in the largest clique of near-copies; 0 if none were generated (held-out captions).",
            "clique_distance": "Mean tiled distance inside the clique, 0 to 1; NaN if there is none.",
        },
    ),
    "similarity_matches": Table(
        "similarity/runs/{point}/{seed}/{defence}/similarities.parquet",
        "a generation and copy detector",
        {
            "generation": GENERATION,
            "descriptor": "Name of the copy detector, as in similarity.descriptors.",
            "similarity": SIMILARITY,
            "match": MATCH,
            "split": "Split product with the match, over corresponding chunks (Somepalli 2022).",
            "cross": "Split product with the match, over all pairs of chunks (Somepalli 2022).",
            "rmse": "RMSE of generation and match, 0 to 1.",
            "own_rmse": "RMSE of the generation and the image whose caption was requested, 0 to 1; NaN if there is none.",
        },
    ),
    "run_measures": Table(
        "claims/measures.parquet",
        "a number of the study",
        {
            "point": "Name of the point; shadows for all shadow models together, users for the prompts of users.",
            "seed": TRAINING_SEED,
            "defence": DEFENCE,
            "measure": "Name of the measure, with a parameter after a colon; see the list of measures.",
            "value": "Value of the measure; NaN if it could not be computed.",
            "n": "Number of generations, images or prompts behind the value.",
            "low": "Lower end of the interval within the run; NaN if there is none.",
            "high": "Upper end of the interval within the run; NaN if there is none.",
            "note": "Remark on the value, such as why it is empty; empty if there is none.",
        },
    ),
    "membership_lira": Table(
        "membership/lira/scores.parquet",
        "a shadow model as target and an image",
        {
            "point": POINT,
            "image_id": IMAGE_ID,
            "member": MEMBER,
            "loss": "Loss at membership.lira.timestep, mean over noises and flips.",
            "lira": "Log likelihood ratio by the other shadow models (LiRA); NaN if all or none of them saw the image.",
        },
    ),
    "membership_inpainting": Table(
        "membership/inpainting/errors.parquet",
        "a shadow model and an image whose half is hidden",
        {
            "point": POINT,
            "image_id": IMAGE_ID,
            "member": MEMBER,
            "error": "RMSE of the completed half to the true one, 0 to 1.",
        },
    ),
    "membership_relative": Table(
        "membership/relative/distances.parquet",
        "a generation of a model without captions (Carlini et al. 2023, section 5.1)",
        {
            "point": POINT,
            "seed": TRAINING_SEED,
            "generation": GENERATION,
            "nearest": "The image_id of the nearest training image.",
            "relative": "Distance to that image over membership.relative.alpha times the mean distance of the nearest ones; below 1 it is a copy.",
        },
    ),
    "similarity_clusters": Table(
        "similarity/dataset/{seed}/clusters.parquet",
        "a cluster of a point's training images by a copy detector (Somepalli 2023)",
        {
            "point": POINT,
            "seed": TRAINING_SEED,
            "cluster": "The image_id of the first image of the cluster.",
            "size": "Number of rows that are drawn of the cluster: the sum of its images' weights.",
            "images": "Number of images in the cluster.",
            "n_captions": "Number of distinct captions in the cluster.",
            "caption_similarity": "Median over pairs of captions of the dot product of text features times Jaccard overlap of words; NaN for one caption.",
            "generations": "Number of generations of kind one whose match is in the cluster.",
            "replication": "Mean similarity of these generations; NaN if there are none.",
            "copies": "Number of these generations above similarity.threshold.",
        },
    ),
    "similarity_users": Table(
        "similarity/users/generations.parquet",
        "a generation of a user's prompt",
        {
            "generation": GENERATION,
            "prompt": PROMPT,
            "gen_seed": "Seed of the generation's noise.",
            "similarity": SIMILARITY,
            "match": MATCH,
            "caption": "Caption of the match.",
            "rmse": "RMSE of generation and match, 0 to 1.",
            "described": "Dot product of text features of prompt and caption times Jaccard overlap of their words, at most 1.",
            "describes": "Whether `described` reaches similarity.describes.",
        },
    ),
    "claims/claims.csv": Table(
        "claims/claims.csv, claims/claims.html",
        "a claim or question of the papers; the page has figures and mitigations too and opens offline",
        {
            "claim": "Short name of the claim.",
            "kind": "Kind of statement: claim or question.",
            "words": "The claim in words.",
            "source": "Paper and section.",
            "measure": "Measure that decides, as in claims/measures.parquet.",
            "expected": "Condition on the estimate: above or below a number.",
            "compared": "Runs that are compared, those of the one side against those of the other.",
            "more": "Level of the side that the claim says is higher; NaN if nothing was compared.",
            "less": "Level of the other side; NaN if there is none.",
            "estimate": "Difference of the two sides, or the level itself; NaN if nothing was compared.",
            "low": "Lower end of the interval of the estimate.",
            "high": "Upper end of the interval of the estimate.",
            "seeds": "Number of training seeds behind the estimate.",
            "df": "Degrees of freedom of the scatter of trainings (Satterthwaite); 0 if the interval is of sampling alone.",
            "direction": "One of: as claimed, reversed, or none; empty if nothing was compared.",
            "verdict": "One of: held, not held, undecided, failed or not run; for a question yes or no in place of held or not held.",
            "note": "What is missing and why; empty if nothing is.",
        },
    ),
    "claims/counts.csv": Table(
        "claims/counts.csv",
        "a kind of statement",
        {
            "kind": "Kind of statement: claim or question.",
            "held": "Number of claims that held, or of questions answered yes.",
            "not_held": "Number of claims that did not hold, or of questions answered no.",
            "undecided": "Number that these runs cannot decide.",
            "failed": "Number whose models diverged in training.",
            "not_run": "Number whose points were not asked for.",
            "total": "Number of all statements of this kind.",
        },
    ),
    "claims/robustness.csv": Table(
        "claims/robustness.csv",
        "a claim about the similarity score, judged by another measure",
        {
            "claim": "Short name of the claim.",
            "measure": "Measure that takes the place of the score.",
            "estimate": "Difference of the two sides by this measure.",
            "low": "Lower end of the interval of the estimate.",
            "high": "Upper end of the interval of the estimate.",
            "seeds": "Number of training seeds behind the estimate.",
            "verdict": "Verdict by this measure, with the words of claims/claims.csv.",
        },
    ),
    "claims/mitigations.csv": Table(
        "claims/mitigations.csv",
        "a mitigation and kind of duplication (Somepalli 2023, Table 1)",
        {
            "stage": "Where the mitigation acts: none, train or inference.",
            "mitigation": "Name of the mitigation.",
            "duplication": "Kind of duplication: none, image_only or full.",
            "copies": "Kind of duplication and how often a duplicated image is drawn.",
            "theirs": "Dataset similarity score as printed in the paper; NaN if it has none.",
            "ours": "Dataset similarity score of our runs: 95th percentile of the similarity.",
            "low": LOW,
            "high": HIGH,
            "theirs_change": "The same difference as printed in the paper.",
            "change": CHANGE,
            "change_low": "Lower end of the interval of that change.",
            "change_high": "Upper end of the interval of that change.",
            **BESIDE,
            "seeds": "Number of training seeds behind the row.",
            "status": "One of: ok (and which seeds failed), failed, or not run.",
        },
    ),
}
TABLES = {"study": COPYING}
