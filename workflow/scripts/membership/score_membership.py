"""Attack every shadow model by the loss threshold and by LiRA, with the others as its shadows."""

from typing import Any

import numpy as np

from verbatim.io.measures import Measures
from verbatim.io.records import SCHEMAS, read_table, write_table
from verbatim.io.seals import read_array
from verbatim.membership import shadows
from verbatim.membership.losses import LossSettings, member_losses
from verbatim.membership.relative import outlier_distances
from verbatim.metrics.rmse import rmse
from verbatim.runtime import device, progress, script


def main(smk: Any) -> None:
    with script(smk) as log:
        from verbatim.models.latent import LatentDenoiser
        from verbatim.models.load import load_denoiser

        p = smk.params
        out = Measures("shadows", int(p.seed), "none")
        states = [read_table(path, "sweep_state").iloc[0] for path in smk.input.states]
        good = [i for i, state in enumerate(states) if state["status"] == "ok"]
        table = SCHEMAS["membership_lira"].empty_table().to_pandas()
        if len(good) < 2:
            log.warning("%d shadow models trained: too few to tell anything", len(good))
        else:
            world = read_array(smk.input.images)
            rows = [read_table(smk.input.rows[i], "sweep_rows") for i in good]
            ids, member = shadows.stack_members(rows)
            losses, how = [], LossSettings(p.timestep, p.noises, p.batch)
            for i, of_point in progress(list(zip(good, rows, strict=True)), "shadow models"):
                told = of_point.set_index("image_id")["caption"][ids].tolist()
                denoiser = load_denoiser(smk.input.models[i], "sd", device())
                assert isinstance(denoiser, LatentDenoiser)
                losses.append(member_losses(denoiser, world[ids], told, how, p.flip))
            names = [p.points[i] for i in good]
            table = shadows.membership_table(names, ids, np.stack(losses), member, p.variance)
            draws = (p.resamples, p.confidence, 0)
            shadows.membership_measures(table, p.fprs, *draws, out)
            flat = world[ids] / 255.0
            far = outlier_distances(rmse(flat, flat), p.neighbours)
            shadows.outlier_membership(table, shadows.by_image(ids, far), *draws, out)
        write_table(smk.output.scores, "membership_lira", table)
        write_table(smk.output.measures, "run_measures", out.table)


if __name__ == "__main__":
    main(snakemake)  # noqa: F821
