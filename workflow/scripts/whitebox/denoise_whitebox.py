"""Score one shard of the prompts with one model: DCS and the scores of the same network row, one line for each prompt and seed."""

import time
from typing import Any

import numpy as np
import pandas as pd

from verbatim.io.records import read_table, write_table
from verbatim.io.result_cache import Kept, fingerprint
from verbatim.runtime import load_model, model_files, progress, script


def broken_prompts(table: pd.DataFrame) -> np.ndarray:
    """prompt_ids that some seed has no score of."""
    return table.loc[table["dcs_reference"].isna(), "prompt_id"].unique()


def main(smk: Any) -> None:
    with script(smk) as log:
        p = smk.params
        first = int(smk.wildcards.shard) * p.prompts_a_shard
        chosen = [("rank", ">=", first)]
        if not p.last:  # the last takes what was not planned
            chosen.append(("rank", "<", first + p.prompts_a_shard))
        columns = ["prompt_id", "caption", "rank"]
        prompts = read_table(smk.input.prompts, "prompts", columns, chosen).sort_values("rank")
        kept = Kept(
            p.kept, prompts, model=p.model, guidance=p.guidance, seeds=list(p.seeds),
            files=fingerprint(model_files(smk)),
        )  # fmt: skip
        lots = kept.lots(p.prompts_a_part)
        todo = sum(map(len, lots))
        log.info("%d prompts, %d seeds; %d prompts to do", len(prompts), len(p.seeds), todo)
        dtype, broken = p.model.get("dtype") or "float32", 0
        if lots:  # the plan allows for more prompts than there may be
            from verbatim.models.denoiser import check_broken
            from verbatim.whitebox.dcs import score_captions

            denoiser = load_model(smk)
        for i, lot in enumerate(lots):
            start, before = time.monotonic(), denoiser.rows
            ids, tables = lot["prompt_id"].to_numpy(), []
            batches = -(-len(lot) // p.batch) * len(p.seeds)
            found = score_captions(denoiser, lot["caption"].tolist(), p.seeds, p.guidance, p.batch)
            for begin, seed, scores in progress(
                found, f"part {i + 1} of {len(lots)}, batches", batches
            ):
                of = ids[begin : begin + len(scores["dcs_paper"])]
                tables.append(pd.DataFrame({"prompt_id": of, "seed": np.int32(seed), **scores}))
            spent = {"whitebox": (denoiser.rows - before, time.monotonic() - start)}
            table = pd.concat(tables)
            broken += len(broken_prompts(table))
            check_broken(broken, len(prompts), dtype)  # before a broken network's numbers are kept
            kept.write(lot, spent, {"whitebox_seeds": table})
        table = kept.table("whitebox_seeds")
        without = broken_prompts(table)
        if len(without):
            from verbatim.models.denoiser import check_broken

            check_broken(len(without), len(prompts), dtype)  # with what was kept before
            some = prompts.loc[prompts["prompt_id"].isin(without), "caption"].head(5).tolist()
            said = f"{len(without):,} of {len(prompts):,} captions gave no finite number"
            log.warning(
                "%s; they have no score with that seed, and are last without any: %r", said, some
            )
        write_table(smk.output.scores, "whitebox_seeds", table)
        write_table(smk.output.cost, "costs", kept.cost("whitebox", smk.wildcards.model, "all"))


if __name__ == "__main__":
    main(snakemake)  # noqa: F821
