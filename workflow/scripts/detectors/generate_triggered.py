"""Generate the prompts of the highest energy that a search found, or the known captions of the highest DCS."""

import time
from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd

from verbatim.detectors.trigger_prompts import choose_captions, choose_prompts
from verbatim.io.images import generation_name, to_uint8, write_archive
from verbatim.io.records import read_table, write_table
from verbatim.models.denoiser import NOT_FINITE, check_broken
from verbatim.models.sampling import Sampling, generate
from verbatim.runtime import load_model, progress, script


def main(smk: Any) -> None:
    with script(smk) as log:
        p = smk.params
        if chains := smk.input.get("chains"):
            prompts = choose_prompts(read_table(chains, "trigger_chains"), p.prompts)
        else:
            captions, scores = (
                read_table(smk.input.captions, "prompts"),
                read_table(smk.input.scores, "whitebox"),
            )
            prompts = choose_captions(captions, scores, p.prompts)
        write_table(smk.output.prompts, "trigger_prompts", prompts)
        denoiser, start = load_model(smk), time.monotonic()
        ids, texts = prompts["prompt_id"].tolist(), prompts["prompt"].tolist()
        how = Sampling(p.steps, p.guidance, p.sampler, p.spacing)
        made: set[tuple[int, int]] = set()

        def members() -> Iterator[tuple[str, np.ndarray | str]]:
            found = generate(denoiser, texts, p.seeds, how, p.batch)
            for place, seed, image in progress(found, "generations", len(ids) * len(p.seeds)):
                made.add((ids[place], seed))
                yield generation_name(ids[place], seed), to_uint8(image)
            for key in ids:
                yield from (
                    (generation_name(key, s), NOT_FINITE) for s in p.seeds if (key, s) not in made
                )

        write_archive(smk.output.images, members())
        wanted = [(key, seed) for key in ids for seed in p.seeds]
        check_broken(len(wanted) - len(made), len(wanted), denoiser.dtype, "generations")
        reasons = ["" if one in made else NOT_FINITE for one in wanted]
        table = pd.DataFrame(wanted, columns=["prompt_id", "seed"]).astype(
            {"prompt_id": np.int64, "seed": np.int32}
        )
        table = table.assign(status=["failed" if why else "ok" for why in reasons], reason=reasons)
        write_table(smk.output.generations, "trigger_generations", table)
        cost = {
            "stage": "triggers", "model": smk.wildcards.model, "prompts": len(ids), "unet_rows": denoiser.full_rows,
            "seconds": time.monotonic() - start, "preset": smk.wildcards.method,
        }  # fmt: skip
        write_table(smk.output.cost, "costs", pd.DataFrame([cost]))
        log.info("%d prompts, %d of %d generations", len(ids), len(made), len(wanted))


if __name__ == "__main__":
    main(snakemake)  # noqa: F821
