"""Similarity of pairs of images that no training has seen, by the copy descriptor of the labels and by CLIP."""

from pathlib import Path
from typing import Any

import pandas as pd

from verbatim.io.records import read_table, write_table
from verbatim.io.seals import read_array
from verbatim.models.descriptor_specs import Spec, make_spec
from verbatim.models.descriptors import load_descriptor
from verbatim.runtime import device, script
from verbatim.world.descriptor_scenes import draw_fresh, draw_pairs, score_pairs, split_planted


def main(smk: Any) -> None:
    with script(smk) as log:
        p = smk.params
        table = read_table(smk.input.table, "images")
        split = split_planted(table, read_array(smk.input.drawings), p.planted, p.world_seed)
        pairs = draw_pairs(split.held_out, p.pairs, p.size, p.seed)
        background = draw_fresh(split.trained, p.background, p.size, p.training_seed)
        file = Path(smk.input.descriptor[0]) if smk.input.descriptor else Path()
        source = str(file if p.spec["kind"] == "torchscript" else file.parent)
        specs = {
            p.name: make_spec(source if smk.input.descriptor else "", p.spec),
            "clip": Spec("clip", "open_clip", str(Path(smk.input.clip).parent)),
        }
        found = []
        for name, spec in specs.items():
            detector = load_descriptor(spec, device())
            vectors = [
                detector.describe(list(images)).whole
                for images in (pairs.first, pairs.second, background)
            ]
            found.append(score_pairs(name, pairs, *vectors))
            log.info("%s: %d pairs", name, len(pairs.kind))
        write_table(smk.output.pairs, "pair_similarities", pd.concat(found))


if __name__ == "__main__":
    main(snakemake)  # noqa: F821
