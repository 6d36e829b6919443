"""Generate every candidate of a shard once for each seed, by all stages of the model; what the post-filter made is taken from it."""

import time
from typing import Any

from verbatim.io.image_store import Images
from verbatim.io.images import generation_name
from verbatim.io.records import read_table, write_table
from verbatim.io.result_cache import Kept, fingerprint, take_shard
from verbatim.runtime import load_model, model_files, progress, script


def take(kept: Kept, lot: Any, made: Images, seeds: list[int]) -> None:
    """Keep the post-filter's generations of a lot: the same model, sampling and seeds, so the same images."""
    began = time.monotonic()
    names = [generation_name(key, seed) for key in lot["prompt_id"] for seed in seeds]
    images = [(name, made.read(name)) for name in names]
    kept.write(lot, {"labels": (0, time.monotonic() - began)}, images=images)


def main(smk: Any) -> None:
    with script(smk) as log, Images(*smk.input.filtered) as made:
        p = smk.params
        selection = read_table(smk.input.selection, "selection")
        prompts = take_shard(selection, smk.wildcards.shard, p.prompts_a_shard, p.last)
        sampling = {
            "steps": p.steps,
            "guidance": p.guidance,
            "sampler": p.sampler,
            "spacing": p.spacing,
        }
        kept = Kept(
            p.kept, prompts, **sampling, seeds=list(p.seeds), model=p.model,
            upscaler=p.upscaler, files=fingerprint(model_files(smk)),
        )  # fmt: skip
        taken = [key for key in prompts["prompt_id"] if made.has_seeds(key, p.seeds)]
        for lot in kept.lots(p.prompts_a_part):
            if len(lot := lot[lot["prompt_id"].isin(taken)]):
                take(kept, lot, made, p.seeds)
        lots = kept.lots(p.prompts_a_part)
        log.info(
            "%d prompts; %d of the post-filter, %d to do, %d parts",
            len(prompts), len(taken), sum(map(len, lots)), len(lots),
        )  # fmt: skip
        if lots:
            from verbatim.models.denoiser import NOT_FINITE, check_broken
            from verbatim.models.sampling import Sampling
            from verbatim.models.stacks import Meter, generate_stack

            denoiser = load_model(smk)
        broken = len(kept.missing_images())
        for lot in progress(lots, "parts"):
            meter = Meter(denoiser)
            stack, _ = generate_stack(
                denoiser, lot["caption"].tolist(), p.seeds, Sampling(**sampling), p.batch
            )
            broken += sum(image is None for of_prompt in stack for image in of_prompt)
            check_broken(broken, len(prompts) * len(p.seeds), denoiser.dtype, "generations")
            images = (
                (generation_name(prompt_id, seed), NOT_FINITE if image is None else image)
                for prompt_id, of_prompt in zip(lot["prompt_id"], stack, strict=True)
                for seed, image in zip(p.seeds, of_prompt, strict=True)
            )
            kept.write(lot, meter.spent("labels"), images=images)
        if broken:
            log.warning("%d generations are missing: not finite, in float32 neither", broken)
        kept.write_archives(smk.output.images)
        write_table(smk.output.cost, "costs", kept.cost("labels", smk.wildcards.model, "all"))


if __name__ == "__main__":
    main(snakemake)  # noqa: F821
