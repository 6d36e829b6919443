"""Generate the images of one run of the study: a trained model behind one defence of its prompts."""

from pathlib import Path
from typing import Any

from verbatim.io.images import write_archive
from verbatim.io.records import SCHEMAS, read_table, write_table
from verbatim.mitigation.defences import Defended, change_prompt
from verbatim.mitigation.generation import draw_images, name_images, plan_images
from verbatim.runtime import device, progress, script


def main(smk: Any) -> None:
    with script(smk) as log:
        p, defence, seed = smk.params, smk.wildcards.defence, int(smk.wildcards.seed)
        state = read_table(smk.input.state, "sweep_state").iloc[0]
        if state.status != "ok":
            log.warning("no images: the training failed (%s)", state.reason)
            write_archive(smk.output.images, [])
            empty = SCHEMAS["mitigation_generations"].empty_table().to_pandas()
            write_table(smk.output.generations, "mitigation_generations", empty)
            return
        from verbatim.models.load import load_denoiser
        from verbatim.models.sampling import Sampling

        denoiser = load_denoiser(Path(smk.input.model), "sd", device())
        defended = Defended(denoiser, defence, p.inference, seed)
        rows = read_table(smk.input.rows, "sweep_rows")
        plan = plan_images(rows, p.sample, p.more, p.others, seed, p.unconditional)
        prompts = [
            change_prompt(caption, defence, p.inference, of_noise)
            for caption, of_noise in zip(plan.caption, plan.gen_seed.tolist(), strict=True)
        ]
        how = Sampling(p.steps, p.guidance, p.sampler, p.spacing)
        images = draw_images(defended, prompts, plan.gen_seed.tolist(), how, p.batch)
        missing: list[int] = []
        images = progress(images, "images", len(plan))
        named = name_images(images, len(plan), denoiser.dtype, missing)
        write_archive(smk.output.images, named)
        plan = plan.assign(prompt=prompts, size=denoiser.size)
        plan = plan[~plan.generation.isin(missing)]  # the archive says why they are missing
        write_table(smk.output.generations, "mitigation_generations", plan)
        log.info("%d images, %d missing, %d network rows", len(plan), len(missing), denoiser.rows)


if __name__ == "__main__":
    main(snakemake)  # noqa: F821
