"""Compare every image of an audit with the generations of its captions, and with unrelated ones: distances, p-values."""

from typing import Any

import pandas as pd

from verbatim.audit.comparison import Comparison, Setup
from verbatim.audit.nearest import NearSettings
from verbatim.evidence.matching import Search
from verbatim.evidence.placements import SearchSettings
from verbatim.io.image_store import Images
from verbatim.io.images import ImageArchive
from verbatim.io.records import SCHEMAS, read_table, write_table
from verbatim.labels.masks import MaskSettings
from verbatim.metrics.degenerate_images import GuardSettings
from verbatim.runtime import progress, scratch, script


def main(smk: Any) -> None:
    with script(smk) as log:
        p = smk.params
        images = read_table(smk.input.images, "audit_images")
        prompts = read_table(smk.input.prompts, "selection")
        near = NearSettings(
            p.thresholds, GuardSettings(**p.guards), p.unrelated, p.least, p.quantile
        )
        search = Search(SearchSettings(size=p.search_size, **p.search))
        setup = Setup(list(range(p.generations)), p.size, search, MaskSettings(**p.mask), near)
        with (
            ImageArchive(smk.input.archive) as archive,
            Images(*smk.input.generations) as generations,
            scratch(smk.output.pairs) as folder,
        ):
            comparison = Comparison(images, prompts, archive, generations, setup, folder)
            log.info("%d different images", len(comparison.images))
            pairs, tests, null = comparison.run(progress)
        pairs = pd.DataFrame(pairs, columns=SCHEMAS["audit_pairs"].names)
        write_table(smk.output.pairs, "audit_pairs", pairs)
        write_table(smk.output.tests, "audit_tests", tests)
        write_table(smk.output.null, "audit_null", null)
        log.info("%d pairs; a null of %d", len(pairs), tests["n_null"].max() if len(tests) else 0)


if __name__ == "__main__":
    main(snakemake)  # noqa: F821
