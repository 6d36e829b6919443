"""Score one shard of the prompts with one model: DCS and its kin, a line a prompt and seed."""

import time

import numpy as np
import pandas as pd

from verbatim.records import SCHEMAS, read_table, write_table
from verbatim.runtime import load_model, progress, script


def main(smk):
    with script(smk) as log:
        p, began = smk.params, time.monotonic()
        prompts = read_table(smk.input.prompts, "prompts", ["prompt_id", "caption", "rank"])
        first = int(smk.wildcards.shard) * p.prompts_a_shard
        end = None if p.last else first + p.prompts_a_shard  # the last takes what was not planned
        prompts = prompts.sort_values("rank").iloc[first:end]
        log.info("%d prompts, %d seeds", len(prompts), len(p.seeds))
        ids, tables, rows = prompts["prompt_id"].to_numpy(), [], 0
        if len(prompts):  # the plan allows for more prompts than there may be
            from verbatim.whitebox.dcs import score_captions

            denoiser = load_model(smk)
            captions = prompts["caption"].tolist()
            found = score_captions(denoiser, captions, p.seeds, p.guidance, p.batch)
            batches = -(-len(prompts) // p.batch) * len(p.seeds)
            for start, seed, scores in progress(found, "batches", batches):
                of = ids[start : start + len(scores["dcs_paper"])]
                tables.append(pd.DataFrame({"prompt_id": of, "seed": np.int32(seed), **scores}))
            rows = denoiser.rows
        empty = pd.DataFrame(columns=SCHEMAS["whitebox_seeds"].names)
        scores = pd.concat(tables, ignore_index=True) if tables else empty
        cost = {
            "stage": "whitebox", "model": smk.wildcards.model, "prompts": len(prompts),
            "unet_rows": rows, "seconds": time.monotonic() - began, "preset": "all",
        }  # fmt: skip
        write_table(smk.output.scores, "whitebox_seeds", scores)
        write_table(smk.output.cost, "costs", pd.DataFrame([cost]))


if __name__ == "__main__":
    main(snakemake)  # noqa: F821
