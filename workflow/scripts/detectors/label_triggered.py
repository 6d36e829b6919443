"""Compare every generation of every method with all training images, and cluster the generations that repeat."""

from typing import Any

import numpy as np
import pandas as pd

from verbatim.detectors.trigger_labels import cluster_repeats, different_rows, label_images
from verbatim.io.images import ImageArchive, generation_name, resize
from verbatim.io.records import SCHEMAS, read_table, read_tables, write_table
from verbatim.io.training_images import read_rows
from verbatim.labels.checking import read_settings
from verbatim.runtime import progress, script


def main(smk: Any) -> None:
    with script(smk) as log:
        p, settings = smk.params, read_settings(smk.params)
        table, images = read_rows(read_tables(smk.input.rows, "rows"))
        rows, training = different_rows(table["row"].tolist(), images)
        training = np.stack([resize(image, p.size, p.size) for image in training])
        log.info("%d different training images", len(rows))
        parts = []
        files = zip(p.methods, smk.input.images, smk.input.generations, strict=True)
        for method, archive, generations in progress(files, "methods", len(p.methods)):
            made = read_table(generations, "trigger_generations")
            sound = made[made["status"].eq("ok")].reset_index(drop=True)
            names = [
                generation_name(k, s)
                for k, s in zip(sound["prompt_id"], sound["seed"], strict=True)
            ]
            with ImageArchive(archive) as store:
                read = [resize(store.read(name), p.size, p.size) for name in names]
            stack = np.stack(read) if read else np.zeros((0, p.size, p.size, 3), np.float32)
            found = pd.DataFrame(label_images(stack, rows, training, p.near, settings))
            found["cluster"] = cluster_repeats(stack, settings.thresholds["RV"], p.repeats)
            keyed = pd.concat([sound[["prompt_id", "seed"]], found], axis=1)
            whole = made[["prompt_id", "seed", "status"]].merge(
                keyed, on=["prompt_id", "seed"], how="left"
            )
            whole["label"] = whole["label"].fillna("missing")
            whole["review_reason"] = whole["review_reason"].fillna("")
            whole["review"] = whole["review"].eq(True)
            for name in ("source_row", "nearest_row", "cluster"):
                whole[name] = whole[name].fillna(-1).astype(np.int64)
            parts.append(whole.assign(method=method))
        labels = pd.concat(parts, ignore_index=True)[SCHEMAS["trigger_labels"].names]
        write_table(smk.output.labels, "trigger_labels", labels)
        log.info("%s", labels.groupby("method")["label"].value_counts().to_dict())


if __name__ == "__main__":
    main(snakemake)  # noqa: F821
