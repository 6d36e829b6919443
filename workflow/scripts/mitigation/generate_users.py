"""Generate one image for each of a sample of users' prompts."""

from pathlib import Path
from typing import Any

from verbatim.io.images import write_archive
from verbatim.io.records import SCHEMAS, read_table, write_table
from verbatim.io.user_prompts import NOT_MEASURED, read_prompts
from verbatim.mitigation.defences import Defended
from verbatim.mitigation.generation import draw_images, name_images
from verbatim.runtime import device, progress, script


def main(smk: Any) -> None:
    with script(smk) as log:
        p = smk.params
        state = read_table(smk.input.state, "sweep_state").iloc[0]
        if state["status"] != "ok":
            log.warning("no images: the training failed (%s)", state["reason"])
            write_archive(smk.output.images, [])
            empty = SCHEMAS["similarity_users"].empty_table().to_pandas()
            write_table(smk.output.generations, "similarity_users", empty)
            return
        from verbatim.models.load import load_denoiser
        from verbatim.models.sampling import Sampling

        prompts = read_prompts(smk.input.prompts, p.n, p.seed)
        denoiser = Defended(load_denoiser(Path(smk.input.model), "sd", device()), "none", {}, 0)
        how = Sampling(p.steps, p.guidance, p.sampler, p.spacing)
        asked, seeds = prompts["prompt"].tolist(), prompts["seed"].tolist()
        images = draw_images(denoiser, asked, seeds, how, p.batch)
        missing: list[int] = []
        images = progress(images, "images", len(prompts))
        named = name_images(images, len(prompts), denoiser.denoiser.dtype, missing)
        write_archive(smk.output.images, named)
        table = prompts.rename(columns={"seed": "gen_seed"}).assign(
            generation=range(len(prompts)), **NOT_MEASURED
        )
        table = table[~table["generation"].isin(missing)]  # the archive says why they are missing
        write_table(smk.output.generations, "similarity_users", table)
        log.info("%d images, %d missing", len(table), len(missing))


if __name__ == "__main__":
    main(snakemake)  # noqa: F821
