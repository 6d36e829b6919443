"""Generate every prompt that alarms again, behind a defence, with all of its seeds."""

import time
from typing import Any

from verbatim.guard.regeneration import Defence, regenerate
from verbatim.io.images import generation_name
from verbatim.io.records import read_table, write_table
from verbatim.io.result_cache import Kept, fingerprint
from verbatim.models.denoiser import NOT_FINITE, check_broken
from verbatim.models.row_counter import RowCounter
from verbatim.models.sampling import Sampling
from verbatim.runtime import load_model, model_files, progress, script


def main(smk: Any) -> None:
    with script(smk) as log:
        p, name = smk.params, smk.wildcards.defence
        alarms = read_table(smk.input.alarms, "guard_alarms")
        stopped = alarms.loc[alarms["alarm"], "prompt_id"].unique()
        prompts = read_table(smk.input.prompts, "prompts", ["prompt_id", "caption"])
        prompts = prompts[prompts["prompt_id"].isin(stopped)]
        seeds = [int(seed) for seed in p.seeds]
        sampling = {
            "steps": p.steps,
            "guidance": p.guidance,
            "sampler": p.sampler,
            "spacing": p.spacing,
        }
        kept = Kept(
            p.kept, prompts, **sampling, seeds=seeds, defence=name, constants=p.inference, seed=p.seed,
            model=p.model, files=fingerprint(model_files(smk)),
        )  # fmt: skip
        lots = kept.lots(p.prompts_a_part)
        log.info("%d prompts alarm, %d to do", len(prompts), sum(map(len, lots)))
        if lots:
            denoiser = load_model(smk)
            counter = RowCounter().watch(denoiser)
        how = Sampling(p.steps, p.guidance, p.sampler, p.spacing)
        defence, broken = Defence(name, dict(p.inference), p.seed), len(kept.missing_images())
        for lot in progress(lots, "parts"):
            began, rows, backward = time.monotonic(), counter.rows, counter.with_gradient
            captions = lot["caption"].tolist()
            stack = regenerate(denoiser, defence, captions, seeds, how, p.batch)
            broken += sum(image is None for of_prompt in stack for image in of_prompt)
            check_broken(broken, len(prompts) * len(seeds), denoiser.dtype, "generations")
            images = (
                (generation_name(key, seed), NOT_FINITE if image is None else image)
                for key, of_prompt in zip(lot["prompt_id"], stack, strict=True)
                for seed, image in zip(seeds, of_prompt, strict=True)
            )
            seconds = time.monotonic() - began
            backward = counter.with_gradient - backward
            spent = {"guard": (counter.rows - rows, seconds), "guard_backward": (backward, 0.0)}
            kept.write(lot, spent, images=images)
        kept.write_archives(smk.output.images)
        write_table(smk.output.cost, "costs", kept.cost("guard", smk.wildcards.model, name))


if __name__ == "__main__":
    main(snakemake)  # noqa: F821
