"""Synthesise each prompt in rounds until it is known whether its pictures repeat, and score cliques."""

import math
import time
from functools import partial

import pandas as pd

from verbatim.images import synthesis_name
from verbatim.parts import Parts, fingerprint
from verbatim.postfilter.filtering import Preset, Rounds, filter_captions
from verbatim.ranking import rank_cliques
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
        preset = Preset(**p.thresholds)
        rounds = Rounds(p.n_images, p.first_round, p.stop_early, p.futility, p.max_nodes)
        parts = Parts(
            smk.output.images, math.ceil(len(selection) / p.prompts_a_part), **sampling,
            rounds=rounds, preset=preset, model=p.model, prompts_a_part=p.prompts_a_part,
            files=fingerprint([model_source(smk), *smk.input]),
        )  # fmt: skip
        todo = parts.unfinished()
        log.info("%d prompts in %d parts, %d to do", len(selection), parts.count, len(todo))
        if todo:
            from verbatim.diffusion.stacks import synthesize_stack

            generate = partial(synthesize_stack, load_model(smk), **sampling)
        names = {"stage": "postfilter", "model": smk.wildcards.model, "preset": p.preset}
        for part in progress(todo, "parts"):
            start = time.monotonic()
            prompts = selection.iloc[part * p.prompts_a_part :][: p.prompts_a_part]
            done = filter_captions(prompts["caption"].tolist(), generate, preset, rounds)
            scores = pd.DataFrame([one.scores for one in done])
            scores = scores.assign(prompt_id=prompts["prompt_id"].values, preset=p.preset, rank=-1)
            spent = {"prompts": len(done), "unet_rows": scores["unet_rows"].sum()}
            cost = pd.DataFrame([names | spent | {"seconds": time.monotonic() - start}])
            pictures = (
                (synthesis_name(prompt_id, seed), picture)
                for prompt_id, one in zip(prompts["prompt_id"], done, strict=True)
                for seed, picture in enumerate(one.pictures)
            )
            parts.write(part, pictures, {"postfilter": scores, "costs": cost})
        scores = parts.table("postfilter")
        scores["rank"] = rank_cliques(scores)
        parts.merge_pictures()
        write_table(smk.output.scores, "postfilter", scores)
        write_table(smk.output.cost, "costs", parts.total_cost(**names))
        parts.clear()
        log.info(
            "%d of %d prompts kept, %d undecided; %.1f pictures a prompt", scores["kept"].sum(),
            len(scores), (~scores["certain"]).sum(), scores["n_images"].mean(),
        )  # fmt: skip


if __name__ == "__main__":
    main(snakemake)  # noqa: F821
