"""Make the one-step pictures of the selected prompts, one a seed, in parts that survive a kill."""

import math
import time

import pandas as pd

from verbatim.images import one_step_name, to_uint8
from verbatim.parts import Parts, fingerprint
from verbatim.records import read_table, write_table
from verbatim.runtime import load_model, model_source, progress, script


def main(smk):
    with script(smk) as log:
        p = smk.params
        selection = read_table(smk.input.selection, "selection")
        settings = {"seeds": list(p.seeds), "batch": p.batch}
        parts = Parts(
            smk.output.images, math.ceil(len(selection) / p.prompts_a_part), **settings,
            model=p.model, prompts_a_part=p.prompts_a_part, guidances=list(p.guidances),
            files=fingerprint([model_source(smk), *smk.input]),
        )  # fmt: skip
        todo = parts.unfinished()
        log.info("%d prompts in %d parts, %d to do", len(selection), parts.count, len(todo))
        if todo:
            from verbatim.diffusion.sampling import synthesize_one_step

            denoiser = load_model(smk)
        names = {"stage": "blackbox", "model": smk.wildcards.model, "preset": "all"}
        for part in progress(todo, "parts"):
            prompts = selection.iloc[part * p.prompts_a_part :][: p.prompts_a_part]
            ids = prompts["prompt_id"].tolist()
            pictures, costs = [], []
            for guidance in p.guidances:
                start, before = time.monotonic(), denoiser.rows
                made = synthesize_one_step(
                    denoiser, prompts["caption"].tolist(), guidance=guidance, **settings
                )
                pictures += [
                    (one_step_name(ids[i], seed, guidance, p.guidances[0]), to_uint8(picture))
                    for i, seed, picture in made
                ]
                spent = {"prompts": len(prompts), "unet_rows": denoiser.rows - before}
                # what only the other presets need is no cost of the attack
                stage = "blackbox" if guidance == p.guidances[0] else "blackbox_presets"
                costs.append(names | spent | {"stage": stage, "seconds": time.monotonic() - start})
            parts.write(part, pictures, {"costs": pd.DataFrame(costs)})
        parts.merge_pictures()
        write_table(smk.output.cost, "costs", parts.total_cost(**names))
        parts.clear()


if __name__ == "__main__":
    main(snakemake)  # noqa: F821
