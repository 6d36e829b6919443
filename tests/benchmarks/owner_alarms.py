"""How often the audit's membership test calls an owner a member whose images no model saw, and how often one that it saw.

python tests/benchmarks/owner_alarms.py RESULTS [MODEL]: needs <RESULTS>/world/truth.parquet, and scores the captions with a
released checkpoint (sd1). Owners are drawn at random from captions that were never trained on, each against controls of the same
kind that it shares nothing with. Owners overlap, as they are drawn from one world: the intervals are of independent ones.
"""

from __future__ import annotations

import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "workflow" / "src"))

import numpy as np  # noqa: E402
import pandas as pd  # noqa: E402

from verbatim.audit.owners import membership_test  # noqa: E402
from verbatim.io.records import read_table  # noqa: E402
from verbatim.metrics.intervals import clopper_pearson  # noqa: E402
from verbatim.models.load import load_denoiser  # noqa: E402
from verbatim.whitebox.dcs import score_captions  # noqa: E402

OWNERS, IMAGES, CONTROLS = 200, 20, 40
SCORES = ("dcs_reference", "wen_first_step")  # the default of audit.test.scores
LEVELS = (0.05, 0.01)


def score(captions: list[str], model: str) -> pd.DataFrame:
    """Mean first-step scores of captions over the default's four seeds."""
    denoiser = load_denoiser(ROOT / "workflow/resources/world" / model, "sd", "cpu", "float32")
    total = np.zeros((len(captions), len(SCORES)))
    seeds = [0, 1, 2, 3]
    for start, _, scores in score_captions(denoiser, captions, seeds, 7.5, 256):
        values = np.stack([scores[name] for name in SCORES], axis=1)
        total[start : start + len(values)] += values / len(seeds)
    return pd.DataFrame(total, columns=list(SCORES))


def rates(owners: list[np.ndarray], controls: list[np.ndarray]) -> str:
    """Share of owners with a p-value of at most each level, with exact 95 % intervals."""
    p = np.array([membership_test(a, b)[1] for a, b in zip(owners, controls, strict=True)])
    said = []
    for level in LEVELS:
        found = int((p <= level).sum())
        low, high = clopper_pearson(found, len(p), 0.95)
        said.append(f"{found} of {len(p)} at {level:.0%} [{low:.1%}, {high:.1%}]")
    return "; ".join(said)


def main() -> None:
    results, model = Path(sys.argv[1]), sys.argv[2] if len(sys.argv) > 2 else "sd1"
    truth = read_table(results / "world" / "truth.parquet", "truth")
    once = truth.drop_duplicates("caption")
    once = once[once["kind"].isin(["held_out", "single", "full", "near"])].reset_index(drop=True)
    values = score(once["caption"].tolist(), model).to_numpy()
    unseen = np.flatnonzero(once["kind"].eq("held_out"))
    rng = np.random.default_rng(0)
    draws = [rng.permutation(unseen) for _ in range(OWNERS)]
    controls = [values[draw[IMAGES : IMAGES + CONTROLS]] for draw in draws]
    print(
        f"{model}: owners of {IMAGES} images, {CONTROLS} controls, {len(unseen)} never trained on"
    )
    print("never trained on:", rates([values[draw[:IMAGES]] for draw in draws], controls))
    single = np.flatnonzero(once["kind"].eq("single"))
    many = np.flatnonzero(once["kind"].isin(["full", "near"]))
    for share in (0.0, 0.25, 1.0):
        k = round(share * IMAGES)
        members = [
            values[np.append(rng.permutation(many)[:k], rng.permutation(single)[: IMAGES - k])]
            for _ in range(OWNERS)
        ]
        print(f"trained on, {share:.0%} of them often, the rest once:", rates(members, controls))


if __name__ == "__main__":
    main()
