"""Synthesise every candidate in full, once a seed."""

import math
import time

import pandas as pd

from verbatim.images import synthesis_name
from verbatim.parts import Parts, fingerprint
from verbatim.records import read_table, write_table
from verbatim.runtime import load_model, model_source, progress, script


def main(smk):
    with script(smk) as log:
        p = smk.params
        selection = read_table(smk.input.selection, "selection")
        sampling = {
            "steps": p.steps,
            "guidance": p.guidance,
            "batch": p.batch,
            "sampler": p.sampler,
        }
        parts = Parts(
            smk.output.images, math.ceil(len(selection) / p.prompts_a_part), **sampling,
            seeds=p.seeds, model=p.model, prompts_a_part=p.prompts_a_part,
            files=fingerprint([model_source(smk), *smk.input]),
        )  # fmt: skip
        todo = parts.unfinished()
        log.info("%d prompts in %d parts, %d to do", len(selection), parts.count, len(todo))
        if todo:
            from verbatim.diffusion.stacks import synthesize_stack

            denoiser = load_model(smk)
        names = {"stage": "labels", "model": smk.wildcards.model, "preset": "all"}
        for part in progress(todo, "parts"):
            start = time.monotonic()
            prompts = selection.iloc[part * p.prompts_a_part :][: p.prompts_a_part]
            stack, rows = synthesize_stack(
                denoiser, prompts["caption"].tolist(), p.seeds, **sampling
            )
            spent = {"prompts": len(prompts), "unet_rows": rows}
            cost = pd.DataFrame([names | spent | {"seconds": time.monotonic() - start}])
            pictures = (
                (synthesis_name(prompt_id, seed), picture)
                for prompt_id, of_prompt in zip(prompts["prompt_id"], stack, strict=True)
                for seed, picture in zip(p.seeds, of_prompt, strict=True)
            )
            parts.write(part, pictures, {"costs": cost})
        parts.merge_pictures()
        write_table(smk.output.cost, "costs", parts.total_cost(**names))
        parts.clear()


if __name__ == "__main__":
    main(snakemake)  # noqa: F821
