"""Score the captions of one run of the study by DCS and ECS, and its images by cliques."""

from pathlib import Path
from typing import Any

from verbatim.io.images import ImageArchive
from verbatim.io.records import SCHEMAS, read_table, write_table
from verbatim.membership import attacks
from verbatim.mitigation.defences import Defended
from verbatim.models.conditioning import caption_of
from verbatim.runtime import device, script


def main(smk: Any) -> None:
    with script(smk) as log:
        p = smk.params
        state = read_table(smk.input.state, "sweep_state").iloc[0]
        if state.status != "ok" or p.conditioning == "none":
            log.warning("no scores: there are no prompts, or no model (%s)", state.reason)
            empty = SCHEMAS["membership_scores"].empty_table().to_pandas()
            write_table(smk.output.scores, "membership_scores", empty)
            return
        from verbatim.models.load import load_denoiser

        pool = read_table(smk.input.pool, "sweep_pool").sort_values("order")
        held_out = pool[pool.held_out]
        told = [caption_of(one, p.conditioning) for one in held_out.to_dict("records")]
        held_out = held_out.assign(caption=told)
        rows = read_table(smk.input.rows, "sweep_rows")
        scores = attacks.choose_captions(rows, held_out, p.others, p.held_out)
        denoiser = load_denoiser(Path(smk.input.model), "sd", device())
        defended = Defended(denoiser, smk.wildcards.defence, p.inference, int(smk.wildcards.seed))
        captions = scores.caption.tolist()
        scores["dcs"] = attacks.score_dcs(defended, captions, p.seeds, p.guidance, p.batch)
        scores["ecs"] = attacks.score_ecs(defended, captions, p.ecs_seeds, p.ecs, p.batch)
        generations = read_table(smk.input.generations, "mitigation_generations")
        with ImageArchive(smk.input.images) as archive:
            cliques = attacks.score_cliques(generations, archive, p.clique)
        scores = scores.merge(cliques, on="image_id", how="left")
        scores["clique_size"] = scores.clique_size.fillna(0)
        write_table(smk.output.scores, "membership_scores", scores)
        log.info("%d captions, %d network rows", len(scores), denoiser.rows)


if __name__ == "__main__":
    main(snakemake)  # noqa: F821
