"""The stage run once on a made-up run, for all its script tests."""

from __future__ import annotations

import pandas as pd
import pytest
from evidence_rules import check_copies
from made_evidence import IDS, write_labels

from verbatim.io.records import write_table


@pytest.fixture(scope="session")
def verified(tmp_path_factory):
    """Results of labels, scores and the verifier; two models of the same images."""
    root = tmp_path_factory.mktemp("evidence")
    for model in ("sd1", "sd2"):
        write_labels(root, model)
        check_copies(root, model)
    n = len(IDS)
    base = {"prompt_id": IDS, "n_seeds": 2, "rank": range(n)}
    share = [i / n for i in range(n)]
    write_table(
        root / "whitebox/sd1/scores.parquet", "whitebox",
        pd.DataFrame(base | {"dcs": share, "dcs_reference": share, "dcs_paper": share, "wen_first_step": share,
                             "guidance_cosine": share, "preset": "reference"}),
    )  # fmt: skip
    write_table(
        root / "blackbox/sd1/scores.parquet", "blackbox",
        pd.DataFrame(base | {"ecs": share, "ecs_reference": share, "ecs_paper": share, "ecs_world": share,
                             "seed_consistency": share, "seed_ssim": share, "preset": "world"}),
    )  # fmt: skip
    return root
