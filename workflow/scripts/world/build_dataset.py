"""Plant the training set, write it as img2dataset would, and write down the truth."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from verbatim.io.seals import read_array
from verbatim.records import read_table, write_table
from verbatim.runtime import script
from verbatim.world.held_out import describe_shortage, hold_out
from verbatim.world.layout import write_shard, write_style
from verbatim.world.pictures import restyle
from verbatim.world.planting import distort, find_distinct, plant


def main(smk: Any) -> None:
    with script(smk) as log:
        p = smk.params
        table = read_table(smk.input.table, "pictures")
        pictures = read_array(smk.input.pictures)
        distinct = find_distinct(pictures, pd.factorize(table.family)[0])
        truth = plant(table, distinct, p.planted, p.finetune_pictures, p.seed)
        truth = hold_out(table, distinct, truth, p.planted.get("held_out_of", {}), p.seed)
        log.info("planted: %s", truth.kind.value_counts().to_dict())
        for sentence in describe_shortage(truth, p.planted):
            log.warning("%s", sentence)

        rows = truth[truth.row >= 0]
        folder = Path(smk.output.shards[0]).parent
        for i, path in enumerate(smk.output.shards):
            part = rows[i * p.rows_a_shard : (i + 1) * p.rows_a_shard]
            stack = [
                distort(pictures[one.picture_id] / np.float32(255), one.distortion)
                for one in part.itertuples()
            ]
            write_shard(folder, Path(path).stem, stack, list(part.caption), i * p.rows_a_shard)
        for n, (style, caption) in enumerate(p.styles.items()):
            part = truth[truth.kind == f"finetune_{n}"]
            stack = list(restyle(pictures[part.picture_id], style) / np.float32(255))
            captions = [caption.format(name) for name in part.caption]
            write_style(Path(smk.output.style_rows[n]), stack, captions)

        kept = truth[~truth.kind.str.startswith("finetune")]
        write_table(smk.output.truth, "truth", kept.astype({"group": str}))
        held_out = truth[truth.kind == "held_out"]
        write_table(smk.output.extra_prompts, "extra_prompts", held_out[["caption"]])


if __name__ == "__main__":
    main(snakemake)  # noqa: F821
