"""Tables of the stage guard."""

from verbatim.io.contracts.sentences import HIGH, LOW, MODEL, OWN_ROW, PROMPT_ID, SEED, Table

PART = "One of: trained (the prompt has a training row), calibration or evaluation (the halves of the prompts that have none)."
DEFENCE = "Defence behind which the generation was made: none, gni, rt, cwr, rna or wen."
POLICY = "Which parts of the guard are on: none; score (generate again on an alarm); check (withhold a copy); or both."
POLICY_DEFENCE = (
    "Defence behind which an alarm is generated again; empty for the policies none and check."
)
GROUP = (
    "Group of the prompt: copied (trained on, and one of the model's generations is a copy), trained on but not copied, never "
    "trained on (the half that did not calibrate), or calibration."
)
COPY = "Whether the check, by the thresholds of the labels, calls the generation {}a copy."
GUARD = {
    "guard_alarms": Table(
        "guard/{model}/alarms.parquet",
        "a generation of a prompt, as its first step is scored",
        {
            "prompt_id": PROMPT_ID,
            "seed": SEED,
            "row": OWN_ROW,
            "part": PART,
            "score": "First-step score with this seed's noise, as guard.score; NaN if it is not finite.",
            "threshold": "Score above which the guard alarms; the same in all rows.",
            "alarm": "Whether the score is above the threshold, or not finite.",
        },
    ),
    "guard_checks": Table(
        "guard/{model}/checks.parquet",
        "a generation that was checked: of the model, or behind a defence of what alarms",
        {
            "prompt_id": PROMPT_ID,
            "seed": SEED,
            "defence": DEFENCE,
            "label": "MV, RV, TV, N or missing, as the labels define them, of this generation alone.",
            "source_row": "Training row of the pair that decided; -1 if there is none.",
            "distance": "RMSE of that pair, 0 to 1, for TV under the mask; NaN if nothing was compared.",
            "review_reason": "Guards of the labels that doubt the match, or why nothing was compared; empty otherwise.",
            "copy": COPY.format(""),
            "nearest": "Least RMSE to a training image that was compared, 0 to 1; NaN if none was.",
            "residual": "Least residual of the verifier to the nearest training images, 0 to 2; infinite if none was compared.",
            "clip_score": "Cosine of the embeddings of the generation and of the prompt, -1 to 1.",
        },
    ),
    "guard_outcomes": Table(
        "guard/{model}/outcomes.parquet",
        "a generation, a policy and a defence",
        {
            "prompt_id": PROMPT_ID,
            "seed": SEED,
            "group": GROUP,
            "unit": "What is drawn together by the bootstrap: prompts that copy one training image, or the prompt.",
            "policy": POLICY,
            "defence": POLICY_DEFENCE,
            "let_out": "What is let out: none (the model's own generation), a defence, or empty (withheld).",
            "regenerated": "Whether the score alarmed and the policy generates again.",
            "withheld": "Whether nothing is let out.",
            "copy": COPY.format("that is let out "),
            "second": "Whether the second judge calls the generation that is let out a copy.",
            "clip_score": "CLIP score of what is let out, -1 to 1; NaN if it is withheld.",
            "clip_change": "CLIP score of what is let out minus that of the model's own generation; NaN unless it was regenerated.",
        },
    ),
    "guard/{model}/guard.csv": Table(
        "guard/{model}/guard.csv",
        "a policy, a defence, a group of prompts and a measure",
        {
            "model": MODEL,
            "policy": POLICY,
            "defence": POLICY_DEFENCE,
            "prompts": GROUP,
            "measure": "Copies let out (by the check, or by the second judge), regenerated, withheld, and disturbed (either), as "
            "shares of the generations; CLIP score, its change in what is regenerated, and network rows beside the generation's "
            "own, as means over generations.",
            "value": "The share, 0 to 1, or the mean.",
            "low": LOW,
            "high": HIGH,
            "count": "Number of generations that count; of a mean, those with a value.",
            "n": "Number of generations.",
            "n_sources": "Number of independent units: prompts that copy one training image count once.",
            "score": "First-step score that alarms, as guard.score.",
            "false_alarms": "Share of alarms that the threshold was calibrated for, as guard.false_alarms.",
        },
    ),
    "tables/guard.csv": Table(
        "tables/guard.csv",
        "a model, policy, defence and kind of planted prompt",
        {
            "model": MODEL,
            "policy": POLICY,
            "defence": POLICY_DEFENCE,
            "kind": "Kind of planting of the prompt, as in world/truth.parquet.",
            "measure": "Copies let out, by the nearest of all training images (no embedding decides which are compared); regenerated; "
            "or withheld.",
            "share": "Share of the generations, 0 to 1.",
            "low": LOW,
            "high": HIGH,
            "count": "Number of these generations.",
            "n": "Number of generations.",
            "n_prompts": "Number of prompts.",
        },
    ),
}
TABLES = {"guard": GUARD}
