"""Give each image of a folder that has no caption that of the training image that is nearest by CLIP."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from verbatim.audit.image_folders import read_folder
from verbatim.io.images import ImageError, decode_image, resize
from verbatim.io.records import read_table
from verbatim.io.search import open_index, search_rows, use_threads
from verbatim.models.clip import ClipEmbedder
from verbatim.runtime import device, progress, script, write_text


def main(smk: Any) -> None:
    with script(smk) as log:
        p = smk.params
        use_threads(smk.threads)
        clip = ClipEmbedder(Path(smk.input.clip).parent, device())
        entries = read_folder(p.folder, need_captions=False)
        without = [one for one in entries if one.caption is None and one.path.is_file()]
        names, features = [], [np.zeros((0, clip.dim), np.float32)]
        for start in progress(range(0, len(without), p.batch), "batches of images"):
            batch = []
            for one in without[start : start + p.batch]:
                try:
                    image = decode_image(one.path.read_bytes())
                except (ImageError, OSError) as err:
                    log.warning("%s has no caption: %s", one.name, err)
                    continue
                batch.append(resize(image, clip.size, clip.size))
                names.append(one.name)
            if batch:
                features.append(clip.embed_images(np.stack(batch), p.batch))
        similarity, rows = search_rows(open_index(smk.input.index), np.concatenate(features), 1)
        wanted = [("row", "in", sorted(set(rows.ravel().tolist())) or [-1])]
        told = [read_table(path, "rows", ["row", "caption"], wanted) for path in smk.input.rows]
        caption = pd.concat(told).set_index("row")["caption"]
        table = pd.DataFrame(
            {"file_name": names, "row": rows[:, 0], "similarity": similarity[:, 0]}
        )
        table.insert(1, "text", table["row"].map(caption))
        text = table.to_json(orient="records", lines=True, force_ascii=False)
        write_text(smk.output.captions, text)
        log.info("%d of %d images had no caption", len(without), len(entries))


if __name__ == "__main__":
    main(snakemake)  # noqa: F821
