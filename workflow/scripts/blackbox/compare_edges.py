"""Score the one-step generations of a shard: ECS under every preset, one line for each prompt."""

from typing import Any

import numpy as np
import pandas as pd

from verbatim.blackbox.consistency import seed_ssim
from verbatim.blackbox.ecs import score_prompt
from verbatim.io.image_store import Images
from verbatim.io.images import ImageError, one_step_name
from verbatim.io.records import SCHEMAS, write_table
from verbatim.metrics.edges import EdgePreset
from verbatim.runtime import progress, script


def main(smk: Any) -> None:
    with script(smk) as log:
        presets = {name: EdgePreset(**values) for name, values in smk.params.presets.items()}
        ranking_guidance = presets[smk.params.preset].guidance
        guidances = {preset.guidance for preset in presets.values()}
        lines = []
        with Images(smk.input.images) as archives:
            for prompt_id in progress(archives.prompt_ids, "prompts"):
                images: dict[float, list[np.ndarray]] = {guidance: [] for guidance in guidances}
                for guidance in guidances:
                    for seed in smk.params.seeds:
                        name = one_step_name(prompt_id, seed, guidance, ranking_guidance)
                        try:
                            images[guidance].append(archives.read(name))
                        except (KeyError, ImageError) as err:  # n_seeds records it
                            log.warning("%s is not used: %s", name, err)
                found = score_prompt(images, presets, smk.params.preset)
                found["seed_ssim"] = seed_ssim(images[ranking_guidance])
                lines.append({"prompt_id": prompt_id, "rank": -1, **found})
        scores = pd.DataFrame(lines, columns=SCHEMAS["blackbox"].names)
        write_table(smk.output.scores, "blackbox", scores)
        short = int((scores["n_seeds"] < len(smk.params.seeds)).sum())
        log.info("%d prompts scored, %d of them with fewer seeds", len(scores), short)


if __name__ == "__main__":
    main(snakemake)  # noqa: F821
