"""Let every shadow model complete the hidden half of images that it has seen or not."""

from typing import Any

import numpy as np

from verbatim.io.measures import Measures
from verbatim.io.records import SCHEMAS, read_table, write_table
from verbatim.io.seals import read_array
from verbatim.membership import shadows
from verbatim.membership.inpainting import Completions, inpainting_errors
from verbatim.runtime import device, progress, script


def main(smk: Any) -> None:
    with script(smk) as log:
        from verbatim.models.latent import LatentDenoiser
        from verbatim.models.load import load_denoiser

        p = smk.params
        out = Measures("shadows", int(p.seed), "none")
        states = [read_table(path, "sweep_state").iloc[0] for path in smk.input.states]
        good = [i for i, state in enumerate(states) if state["status"] == "ok"]
        table = SCHEMAS["membership_inpainting"].empty_table().to_pandas()
        if not good:
            log.warning("no shadow model was trained: nothing to complete")
        else:
            world = read_array(smk.input.images)
            rows = [read_table(smk.input.rows[i], "sweep_rows") for i in good]
            ids, member = shadows.stack_members(rows)
            chosen = np.sort(np.random.default_rng(0).permutation(len(ids))[: p.images])
            ids, member = ids[chosen], member[:, chosen]
            errors, how = [], Completions(range(p.completions), p.best, p.steps)
            for i, of_point in progress(list(zip(good, rows, strict=True)), "shadow models"):
                told = of_point.set_index("image_id")["caption"][ids].tolist()
                denoiser = load_denoiser(smk.input.models[i], "sd", device())
                assert isinstance(denoiser, LatentDenoiser)
                errors.append(
                    inpainting_errors(denoiser, world[ids], told, how, p.timestep, p.batch)
                )
            found = np.stack(errors)
            names = [p.points[i] for i in good]
            table = shadows.inpainting_table(names, ids, found, member)
            draws = (p.resamples, p.confidence, 0)
            shadows.inpainting_measures(ids, found, member, p.variance, draws, out)
        write_table(smk.output.errors, "membership_inpainting", table)
        write_table(smk.output.measures, "run_measures", out.table)


if __name__ == "__main__":
    main(snakemake)  # noqa: F821
