"""Which training images are nearest to image files that a user has, and are the files copies of them?"""

import json
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from verbatim.dedup.relatives import choose_relatives
from verbatim.evidence.attribution import (
    Sources,
    attribute,
    describe,
    draw_attribution,
    list_files,
    read_files,
)
from verbatim.io.atomic import new_file
from verbatim.io.images import encode_png
from verbatim.io.licences import read_licences
from verbatim.io.privacy import read_privacy
from verbatim.io.records import find_rows, read_manifest, read_table
from verbatim.io.search import open_index, search_rows, use_threads
from verbatim.io.training_images import TrainingImages
from verbatim.labels.checking import (
    Checker,
    embed_generations,
    find_training_rows,
    read_settings,
    read_wanted,
)
from verbatim.labels.fetched_images import related_rows
from verbatim.models.clip import ClipEmbedder
from verbatim.runtime import device, progress, script, write_text


def main(smk: Any) -> None:
    with script(smk) as log, TrainingImages() as archives:
        p = smk.params
        use_threads(smk.threads)
        privacy = read_privacy(p.images, p.only, smk.input.known_prompts)
        files, told = read_files(list_files(p.asked))
        clip = ClipEmbedder(Path(smk.input.clip).parent, device())
        vectors = np.zeros((0, clip.dim), np.float32)
        if files:
            vectors = embed_generations(clip.embed_images, files.values(), clip.size, p.batch)
        similarity, near = search_rows(open_index(smk.input.index), vectors, p.neighbours)
        relatives = choose_relatives(
            near[near >= 0], (read_table(path, "pairs") for path in smk.input.pairs),
            partial(find_rows, smk.input.clusters, "clusters"),
            partial(find_rows, smk.input.copies, "copies"), most=p.relatives,
        )  # fmt: skip
        wanted = {*near.ravel().tolist(), *relatives["relative"].tolist()} - {-1}
        rows = find_training_rows(smk.input.rows, wanted)
        licences = read_licences(read_manifest(smk.input.manifest), wanted)
        sources = Sources.read(rows, licences, smk.input.clusters, smk.input.stats)
        training = read_wanted(rows, archives, p.size)
        check = Checker(training, related_rows(relatives), p.size, read_settings(p))
        entries = []
        for i, (name, image) in enumerate(progress(files.items(), "images", len(files))):
            found = zip(near[i].tolist(), similarity[i].tolist(), strict=True)
            cosines = {row: cosine for row, cosine in found if row >= 0}
            entries.append(
                attribute(check(image, list(cosines)), cosines, sources, privacy, p.nearest)
            )
            told[name] = entries[-1]
            log.info("%s", describe(name, entries[-1]))
        whole = {
            "preset": p.preset, "thresholds": p.thresholds, "size": p.size, "privacy": p.images,
            "generations": [{"file": name} | entry for name, entry in sorted(told.items())],
        }  # fmt: skip
        write_text(smk.output.attribution, json.dumps(whole, indent=1, ensure_ascii=False) + "\n")
        sheet = draw_attribution(list(files.values()), entries, training, privacy, p.size)
        with new_file(smk.output.sheet) as temporary:
            temporary.write_bytes(encode_png(sheet))


if __name__ == "__main__":
    main(snakemake)  # noqa: F821
