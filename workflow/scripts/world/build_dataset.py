"""Plant the training set, and write it in img2dataset's layout, with the truth."""

from pathlib import Path
from typing import Any

from verbatim.io.records import read_table, write_table
from verbatim.io.seals import read_array, write_array
from verbatim.runtime import script
from verbatim.world.drawings import template_share
from verbatim.world.layout import write_shard, write_style
from verbatim.world.plan import SCENE, list_images, plan_styles, plant, scenes_of
from verbatim.world.scenes import draw_scenes, restyle


def main(smk: Any) -> None:
    with script(smk) as log:
        p = smk.params
        table = read_table(smk.input.table, "images")
        drawings = read_array(smk.input.drawings)
        truth = plant(table, template_share(table, drawings), p.planted, p.seed)
        log.info("planted: %s", truth["kind"].value_counts().to_dict())

        rows = truth[truth["row"] >= 0]
        folder = Path(smk.output.shards[0]).parent
        for i, path in enumerate(smk.output.shards):
            part = rows[i * p.rows_a_shard : (i + 1) * p.rows_a_shard]
            images = draw_scenes(scenes_of(part), drawings, p.size, p.seed)
            captions = list(part["caption"])
            write_shard(folder, Path(path).stem, list(images), captions, i * p.rows_a_shard)
        write_array(smk.output.images, draw_scenes(list_images(truth), drawings, p.size, p.seed))
        styles = plan_styles(truth, table, p.finetune_images, p.seed)
        for n, (style, caption) in enumerate(p.styles.items()):
            part = styles[styles["part"].eq(n)]
            images = restyle(draw_scenes(scenes_of(part), drawings, p.size, p.seed), style)
            captions = [caption.format(text) for text in part["caption"]]
            write_style(Path(smk.output.style_rows[n]), list(images), captions)

        write_table(
            smk.output.truth, "truth", truth.drop(columns=[c for c in SCENE if c != "distortion"])
        )
        singles = truth.loc[truth["kind"].eq("single"), ["row"]].sort_values("row")
        write_table(smk.output.single_rows, "kept_rows", singles)
        held_out = truth[truth["row"] < 0]
        write_table(smk.output.extra_prompts, "extra_prompts", held_out[["caption"]])


if __name__ == "__main__":
    main(snakemake)  # noqa: F821
