"""Make the one-step generations of a shard of the selected prompts, one for each seed, in parts that survive a kill."""

import time
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import numpy as np
import pandas as pd

from verbatim.io.image_store import prompt_of
from verbatim.io.images import one_step_name, to_uint8
from verbatim.io.records import read_table, write_table
from verbatim.io.result_cache import Kept, fingerprint, take_shard
from verbatim.runtime import load_model, model_files, progress, script


def draw(
    denoiser: Any, lot: pd.DataFrame, p: Any, spent: dict[str, Any], lacking: Callable[..., None]
) -> Iterator[tuple[str, np.ndarray | str]]:
    """Yield the images of a part one by one, and note in `spent` what each stage has cost.

    lacking : told of the prompts that lack an image, as it was not finite; raises if these are too many.
    """
    from verbatim.models.denoiser import NOT_FINITE
    from verbatim.models.sampling import generate_one_step

    ids, captions = lot["prompt_id"].tolist(), lot["caption"].tolist()
    for guidance in p.guidances:
        start, before, drawn = time.monotonic(), denoiser.rows, set()
        for i, seed, image in generate_one_step(
            denoiser, captions, guidance=guidance, seeds=list(p.seeds), batch=p.batch
        ):
            drawn.add((ids[i], seed))
            yield one_step_name(ids[i], seed, guidance, p.guidances[0]), to_uint8(image)
        lost = [(i, seed) for i in ids for seed in p.seeds if (i, seed) not in drawn]
        lacking(prompt_id for prompt_id, _ in lost)
        for prompt_id, seed in lost:
            yield one_step_name(prompt_id, seed, guidance, p.guidances[0]), NOT_FINITE
        # what only the other presets need is no cost of the attack
        stage = "blackbox" if guidance == p.guidances[0] else "blackbox_presets"
        rows, seconds = spent.get(stage, (0, 0.0))
        spent[stage] = (rows + denoiser.rows - before, seconds + time.monotonic() - start)


def main(smk: Any) -> None:
    with script(smk) as log:
        p = smk.params
        selection = read_table(smk.input.selection, "selection")
        prompts = take_shard(selection, smk.wildcards.shard, p.prompts_a_shard, p.last)
        kept = Kept(
            p.kept, prompts, model=p.model, guidances=list(p.guidances), seeds=list(p.seeds),
            files=fingerprint(model_files(smk)),
        )  # fmt: skip
        lots = kept.lots(p.prompts_a_part)
        log.info("%d prompts; %d to do, %d parts", len(prompts), sum(map(len, lots)), len(lots))
        broken = set(map(prompt_of, kept.missing_images()))

        def lacking(prompt_ids: Iterable[int]) -> None:
            broken.update(prompt_ids)
            check_broken(len(broken), len(prompts), denoiser.dtype)

        if lots:
            from verbatim.models.denoiser import check_broken

            denoiser = load_model(smk)
        for lot in progress(lots, "parts"):
            spent: dict[str, Any] = {}
            images = draw(denoiser, lot, p, spent, lacking)
            kept.write(lot, spent, images=images)
        if broken:  # compare_edges tells which
            log.warning(
                "%d of %d captions gave no finite number with some seed", len(broken), len(prompts)
            )
        kept.write_archives(smk.output.images)
        write_table(smk.output.cost, "costs", kept.cost("blackbox", smk.wildcards.model, "all"))


if __name__ == "__main__":
    main(snakemake)  # noqa: F821
