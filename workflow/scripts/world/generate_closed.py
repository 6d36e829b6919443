"""Generate the images that the world's closed system is known by, with a manifest of prompts and seeds."""

from pathlib import Path
from typing import Any

from verbatim.io.records import read_table
from verbatim.models.load import load_denoiser
from verbatim.models.sampling import Sampling
from verbatim.models.stacks import generate_stack
from verbatim.runtime import device, script
from verbatim.world.closed import choose_prompts, write_images


def main(smk: Any) -> None:
    with script(smk) as log:
        p = smk.params
        prompts = choose_prompts(read_table(smk.input.truth, "truth"), p.prompts, p.seed)
        captions = list(prompts["caption"])
        log.info("%s", prompts["kind"].value_counts().to_dict())
        denoiser = load_denoiser(str(Path(smk.input.index).parent), "sd", device())
        images, _ = generate_stack(
            denoiser, captions, p.seeds, Sampling(p.steps, p.guidance, p.sampler), p.batch
        )
        write_images(Path(smk.output.manifest).parent, captions, list(p.seeds), images, p.steps)


if __name__ == "__main__":
    main(snakemake)  # noqa: F821
