"""Describe every image of the pool by each copy detector, and measure how complex it is."""

from pathlib import Path
from typing import Any

import numpy as np

from verbatim.io.pool_features import Described, PoolFeatures, complexity_of
from verbatim.io.records import read_table
from verbatim.io.seals import read_array
from verbatim.models.descriptor_specs import make_specs
from verbatim.models.descriptors import load_descriptor
from verbatim.runtime import device, script
from verbatim.similarity.quality import Inception


def main(smk: Any) -> None:
    with script(smk) as log:
        p = smk.params
        ids = read_table(smk.input.pool, "sweep_pool")["image_id"].to_numpy()
        images = read_array(smk.input.images)[ids]
        described = {}
        for spec in make_specs(p.descriptors, str(Path(smk.input.clip).parent)):
            described[spec.name] = Described(*load_descriptor(spec, device()).describe(images))
            log.info("%s: %d numbers an image", spec.name, described[spec.name].whole.shape[1])
        inception = np.zeros((len(ids), 0), np.float32)
        if p.inception["source"]:
            inception = Inception(**p.inception, device=device()).features(images)
        PoolFeatures(ids, described, complexity_of(images), inception).write(smk.output.features)
        log.info("%d images", len(ids))


if __name__ == "__main__":
    main(snakemake)  # noqa: F821
