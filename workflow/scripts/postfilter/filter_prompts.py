"""Generate each prompt of a shard in rounds until it is known whether its images repeat; score cliques."""

from functools import partial
from typing import Any

import pandas as pd

from verbatim.io.images import generation_name
from verbatim.io.records import read_table, write_table
from verbatim.io.result_cache import Kept, fingerprint, take_shard
from verbatim.postfilter.filtering import Preset, Rounds, filter_captions
from verbatim.runtime import load_model, model_files, progress, script


def main(smk: Any) -> None:
    with script(smk) as log:
        p = smk.params
        selection = read_table(smk.input.selection, "selection")
        prompts = take_shard(selection, smk.wildcards.shard, p.prompts_a_shard, p.last)
        sampling = {
            "steps": p.steps,
            "guidance": p.guidance,
            "sampler": p.sampler,
            "spacing": p.spacing,
        }
        preset = Preset(**p.thresholds)
        rounds = Rounds(p.n_images, p.first_round, p.stop_early, p.futility, p.max_nodes)
        kept = Kept(
            p.kept, prompts, **sampling, model=p.model, upscaler=p.upscaler, rounds=rounds, preset=preset,
            name=p.preset, files=fingerprint(model_files(smk)),
        )  # fmt: skip
        lots = kept.lots(p.prompts_a_part)
        log.info("%d prompts; %d to do, %d parts", len(prompts), sum(map(len, lots)), len(lots))
        if lots:
            from verbatim.models.denoiser import NOT_FINITE, check_broken
            from verbatim.models.sampling import Sampling
            from verbatim.models.stacks import Meter, generate_stack

            denoiser = load_model(smk)
            generate = partial(generate_stack, denoiser, how=Sampling(**sampling), batch=p.batch)
        broken = len(kept.missing_images())
        for lot in progress(lots, "parts"):
            meter = Meter(denoiser)
            done = filter_captions(lot["caption"].tolist(), generate, preset, rounds)
            scores = pd.DataFrame([one.scores for one in done])
            scores = scores.assign(prompt_id=lot["prompt_id"].values, preset=p.preset, rank=-1)
            broken += sum(len(one.missing) for one in done)
            check_broken(broken, len(prompts) * p.n_images, denoiser.dtype, "generations")
            images = (
                (generation_name(prompt_id, seed), image)
                for prompt_id, one in zip(lot["prompt_id"], done, strict=True)
                for seed, image in (
                    *zip(one.seeds, one.images, strict=True),
                    *((seed, NOT_FINITE) for seed in one.missing),
                )
            )
            spent = meter.spent("postfilter", scores["unet_rows"])
            kept.write(lot, spent, {"postfilter": scores}, images)
        scores, cost = (
            kept.table("postfilter"),
            kept.cost("postfilter", smk.wildcards.model, p.preset),
        )
        kept.write_archives(smk.output.images)
        write_table(smk.output.scores, "postfilter", scores)
        write_table(smk.output.cost, "costs", cost)
        if broken:
            log.warning("%d generations are missing: not finite, in float32 neither", broken)
        log.info("%d of %d prompts kept", scores["kept"].sum(), len(scores))


if __name__ == "__main__":
    main(snakemake)  # noqa: F821
