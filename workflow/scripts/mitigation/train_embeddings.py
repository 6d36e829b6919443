"""Train adversarial embeddings of images against a network: the whole one, or one with neurons switched off."""

from typing import Any

import pandas as pd

from verbatim.io.records import read_table, write_table
from verbatim.io.seals import read_array
from verbatim.membership.losses import encode_images
from verbatim.mitigation.adversarial_embeddings import Search, find_embeddings, random_states
from verbatim.mitigation.protections import Constants, Protection
from verbatim.mitigation.tables_read import read_neurons
from verbatim.runtime import load_model, progress, script


def main(smk: Any) -> None:
    with script(smk) as log:
        p, prompts = smk.params, read_table(smk.input.prompts, "mitigated")
        wanted = prompts[prompts["searched"]]
        denoiser: Any = load_model(smk)
        constants = Constants(neurons=read_neurons(smk.input.get("neurons")))
        protection = Protection(denoiser, smk.wildcards.defence, constants)
        images = read_array(smk.input.images)
        how = Search(p.steps, p.rate, p.noises, p.seed)
        lines = []
        starts = range(0, len(wanted), p.batch)
        for start in progress(starts, "parts of the images"):
            some = wanted.iloc[start : start + p.batch]
            latents = encode_images(denoiser, images[some["image_id"].to_numpy()], p.batch)
            prompt = denoiser.encode(some["caption"].tolist())
            noise = random_states(some["image_id"].tolist(), prompt)
            for name, states in (("embedding", prompt), ("random", noise)):
                with protection.active():
                    found = find_embeddings(denoiser, latents, states, how).states
                lines += [
                    {"prompt_id": key, "start": name, "tokens": len(one), "states": one.flatten().tolist()}
                    for key, one in zip(some["prompt_id"], found.float().cpu(), strict=True)
                ]  # fmt: skip
        write_table(smk.output.embeddings, "mitigation_embeddings", pd.DataFrame(lines))
        log.info("%d images, %d embeddings", len(wanted), len(lines))


if __name__ == "__main__":
    main(snakemake)  # noqa: F821
