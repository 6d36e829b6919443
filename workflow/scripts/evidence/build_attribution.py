"""Say of every generation of a model which training images are nearest to it, and whether it is a copy."""

import json
from typing import Any

from verbatim.evidence.attribution import Sources, attribute, missing_entry
from verbatim.io.images import ImageArchive, ImageError, generation_name, seeds_of, seeds_of_prompts
from verbatim.io.licences import read_licences
from verbatim.io.privacy import read_privacy
from verbatim.io.records import read_manifest, read_table
from verbatim.labels.checking import Checker, find_training_rows, read_settings
from verbatim.labels.fetched_images import FetchedImages, related_rows
from verbatim.runtime import progress, script, write_text


def main(smk: Any) -> None:
    with script(smk) as log:
        p = smk.params
        privacy = read_privacy(p.images, p.only, smk.input.known_prompts)
        labels, neighbours, relatives, fetched = (
            read_table(smk.input.get(kind), kind)
            for kind in ("labels", "neighbours", "relatives", "fetched")
        )
        wanted = fetched["row"].tolist()
        licences = read_licences(read_manifest(smk.input.manifest), wanted)
        rows = find_training_rows(smk.input.rows, wanted)
        sources = Sources.read(rows, licences, smk.input.clusters, smk.input.stats)
        near: dict[tuple[int, int], dict[int, float]] = {
            key: dict(zip(of["row"].tolist(), of["similarity"].tolist(), strict=True))  # type: ignore[misc]
            for key, of in neighbours.groupby(["prompt_id", "seed"])
        }
        told: list[dict[str, Any]] = []
        with ImageArchive(smk.input.images) as made, ImageArchive(smk.input.training) as training:
            seeds = p.seeds or seeds_of_prompts(made.names())  # whatever a closed system gave
            images = FetchedImages(training.read, fetched, p.size)
            check = Checker(images, related_rows(relatives), p.size, read_settings(p))
            for label in progress(labels.to_dict("records"), "prompts", len(labels)):
                key, caption = int(label["prompt_id"]), label["caption"]
                for seed in seeds_of(seeds, key):
                    name, cosines = generation_name(key, seed), near.get((key, seed), {})
                    try:
                        image = made.read(name)
                    except (KeyError, ImageError) as err:
                        entry = missing_entry(str(err))
                    else:
                        found = check(image, list(cosines), caption, int(label["row"]))
                        entry = attribute(found, cosines, sources, privacy, p.nearest, key)
                    told.append({"prompt_id": key, "prompt": caption, "seed": int(seed)} | entry)
        whole = {
            "model": dict(p.model), "preset": p.preset, "thresholds": p.thresholds, "size": p.size,
            "privacy": p.images, "generations": told,
        }  # fmt: skip
        write_text(smk.output.attribution, json.dumps(whole, indent=1, ensure_ascii=False) + "\n")
        copies = sum(bool(one.get("is_copy")) for one in told)
        log.info("%d generations, %d of them copies", len(told), copies)


if __name__ == "__main__":
    main(snakemake)  # noqa: F821
