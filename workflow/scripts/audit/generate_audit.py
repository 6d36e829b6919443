"""Generate from every caption of a shard of an audit, once a seed, by all stages of the model."""

from typing import Any

from verbatim.audit.audit_costs import describe_minutes
from verbatim.io.images import generation_name
from verbatim.io.records import read_table, write_table
from verbatim.io.result_cache import Kept, fingerprint, take_shard
from verbatim.models.denoiser import NOT_FINITE, check_broken
from verbatim.models.sampling import Sampling
from verbatim.models.stacks import Meter, generate_stack
from verbatim.runtime import load_model, model_files, progress, script


def main(smk: Any) -> None:
    with script(smk) as log:
        p = smk.params
        prompts = read_table(smk.input.prompts, "selection")
        prompts = take_shard(prompts, smk.wildcards.shard, p.prompts_a_shard, p.last)
        seeds = list(range(p.generations))
        sampling = {
            "steps": p.steps, "guidance": p.guidance, "sampler": p.sampler, "spacing": p.spacing,
        }  # fmt: skip
        kept = Kept(
            p.kept, prompts, **sampling, seeds=seeds, model=p.model, upscaler=p.upscaler,
            files=fingerprint(model_files(smk)),
        )  # fmt: skip
        lots = kept.lots(p.prompts_a_part)
        todo = sum(map(len, lots))
        spent = read_table(smk.input.cost, "costs")
        planned = todo * p.generations * p.rows_a_generation
        log.info("%d captions, %d to do", len(prompts), todo)
        log.info("%s", describe_minutes(spent["unet_rows"].sum(), spent["seconds"].sum(), planned))
        denoiser: Any = load_model(smk) if lots else None  # asked for only where there is a lot
        broken = len(kept.missing_images())
        for lot in progress(lots, "parts"):
            meter = Meter(denoiser)
            stack, _ = generate_stack(
                denoiser, lot["caption"].tolist(), seeds, Sampling(**sampling), p.batch
            )
            broken += sum(image is None for of_prompt in stack for image in of_prompt)
            check_broken(broken, len(prompts) * len(seeds), denoiser.dtype, "generations")
            images = (
                (generation_name(prompt_id, seed), NOT_FINITE if image is None else image)
                for prompt_id, of_prompt in zip(lot["prompt_id"], stack, strict=True)
                for seed, image in zip(seeds, of_prompt, strict=True)
            )
            kept.write(lot, meter.spent("audit"), images=images)
        if broken:
            log.warning("%d generations are missing: not finite, in float32 neither", broken)
        kept.write_archives(smk.output.images)
        write_table(smk.output.cost, "costs", kept.cost("audit", p.model["model"], "generations"))


if __name__ == "__main__":
    main(snakemake)  # noqa: F821
