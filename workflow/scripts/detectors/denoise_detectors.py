"""Compute the chosen detectors of a shard of the selected prompts, a line for each prompt, seed and score."""

import time
from typing import Any

import numpy as np
import pandas as pd

from verbatim.detectors.definitions import DetectorSettings, keep_defined, undefined
from verbatim.io.records import read_table, write_table
from verbatim.io.result_cache import Kept, fingerprint, take_shard
from verbatim.runtime import load_model, model_files, progress, script


def score(denoiser: Any, lot: pd.DataFrame, settings: Any, spent: dict[str, Any]) -> pd.DataFrame:
    """Scores of a part, and in `spent` what they cost."""
    from verbatim.detectors.scoring import Spent, score_prompts

    start, before, counted = time.monotonic(), denoiser.rows, Spent()
    ids, parts = lot["prompt_id"].to_numpy(), []
    for found in score_prompts(denoiser, lot["caption"].tolist(), settings, counted):
        of = ids[found.start : found.start + len(found.values)]
        parts.append(
            pd.DataFrame({"prompt_id": of, "seed": found.seed, "score": found.score, "value": found.values})
        )  # fmt: skip
    spent["detectors"] = (denoiser.rows - before, time.monotonic() - start)
    if counted.derivatives:
        spent["detectors_derivatives"] = (counted.derivatives, 0.0)
    return pd.concat(parts).astype({"seed": np.int32})


def main(smk: Any) -> None:
    with script(smk) as log:
        p, family = smk.params, smk.params.model["family"]
        for name, why in undefined(p.scores, family).items():
            log.warning(
                "%s is not defined for the family %s and is left out: %s", name, family, why
            )
        settings = DetectorSettings(
            keep_defined(p.scores, family), tuple(p.seeds), p.steps, p.guidance, p.batch, p.gradient_batch, p.anisotropy
        )  # fmt: skip
        selection = read_table(smk.input.selection, "selection")
        if not settings.scores:
            selection = selection.iloc[:0]
        prompts = take_shard(selection, smk.wildcards.shard, p.prompts_a_shard, p.last)
        kept = Kept(
            p.kept, prompts, model=p.model, scores=settings.scores, seeds=list(p.seeds), steps=p.steps,
            guidance=p.guidance, anisotropy=p.anisotropy, files=fingerprint(model_files(smk)),
        )  # fmt: skip
        lots = kept.lots(p.prompts_a_part)
        log.info("%d prompts; %d to do, %d parts", len(prompts), sum(map(len, lots)), len(lots))
        broken: set[int] = set()
        if lots:
            from verbatim.models.denoiser import check_broken

            denoiser = load_model(smk)
        for lot in progress(lots, "parts"):
            spent: dict[str, Any] = {}
            table = score(denoiser, lot, settings, spent)
            # a score that compares seeds may have none for another reason
            broken |= set(table.loc[table["value"].isna() & table["seed"].ge(0), "prompt_id"])
            check_broken(len(broken), len(prompts), denoiser.dtype)
            kept.write(lot, spent, {"detector_seeds": table})
        if broken:
            log.warning("%d of %d prompts lack a finite score", len(broken), len(prompts))
        write_table(smk.output.scores, "detector_seeds", kept.table("detector_seeds"))
        write_table(smk.output.cost, "costs", kept.cost("detectors", smk.wildcards.model, "all"))


if __name__ == "__main__":
    main(snakemake)  # noqa: F821
