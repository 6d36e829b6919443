"""Generate memorized and other prompts behind one defence, score their first steps, and try the adversarial embeddings."""

from itertools import chain
from typing import Any

import pandas as pd

from verbatim.detectors.definitions import DetectorSettings
from verbatim.io.images import write_archive
from verbatim.io.records import read_table, write_table
from verbatim.metrics.edges import EdgePreset
from verbatim.mitigation.defended_run import DefendedRun, RunSettings
from verbatim.mitigation.first_scores import ScoreSettings
from verbatim.mitigation.protections import Constants, Protection
from verbatim.mitigation.tables_read import read_neurons, read_states
from verbatim.models.denoiser import check_broken
from verbatim.models.row_counter import RowCounter
from verbatim.models.sampling import Sampling
from verbatim.runtime import load_model, progress, script


def main(smk: Any) -> None:
    with script(smk) as log:
        p, name = smk.params, smk.wildcards.defence
        prompts = read_table(smk.input.prompts, "mitigated")
        prompts = prompts[prompts["group"].ne("reference")]
        denoiser = load_model(smk)
        counter = RowCounter().watch(denoiser)
        neurons = read_neurons(smk.input.get("neurons"))
        protection = Protection(
            denoiser, name, Constants(p.inference, p.noise, p.sail, p.prss, neurons)
        )
        sampling = Sampling(p.steps, p.guidance, p.sampler, p.spacing)
        run = DefendedRun(protection, RunSettings(sampling, p.seeds, p.batch), counter)
        detectors = DetectorSettings(
            scores=tuple(p.scores), seeds=tuple(p.seeds), steps=p.detectors["steps"], batch=p.batch,
            guidance=p.detectors["guidance"], gradient_batch=p.detectors["gradient_batch"],
            anisotropy=p.detectors["anisotropy"],
        )  # fmt: skip
        scoring = ScoreSettings(p.dcs_guidance, EdgePreset(**p.edges), detectors)
        parts = [run.of_prompts(prompts, scoring)]
        if protection.meets_embeddings:  # behind the others they are those of none
            parts.append(run.of_embeddings(*read_states(smk.input.embeddings)))
        if name == "none":  # how far two sets of images are apart that differ by their seeds alone
            others = [max(p.seeds) + 1 + i for i in range(len(p.seeds))]
            general = prompts[prompts["group"].ne("memorized")]
            parts.append(run.of_other_seeds(general, others))
        write_archive(smk.output.images, progress(chain(*parts), "images"))
        made = pd.DataFrame(run.generations)
        failed = int(made["status"].ne("ok").sum())
        check_broken(failed, len(made), denoiser.dtype, "generations")
        write_table(smk.output.generations, "mitigation_attacked", made)
        write_table(smk.output.scores, "mitigation_scores", pd.DataFrame(run.scores))
        spent = pd.DataFrame(run.spent).groupby("group", sort=False).sum().reset_index()
        write_table(smk.output.spent, "mitigation_spent", spent)
        log.info("%s: %d images, %d failed; %s", name, len(made), failed, spent.to_dict("records"))


if __name__ == "__main__":
    main(snakemake)  # noqa: F821
