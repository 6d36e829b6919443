"""Copy the trained world's models into one folder in half precision, with a record of how they were made."""

from pathlib import Path
from typing import Any

import pandas as pd

from verbatim.io.records import read_table
from verbatim.runtime import script
from verbatim.world.release import (
    copy_half,
    describe_code,
    summarize_training,
    write_provenance,
)


def main(smk: Any) -> None:
    with script(smk) as log:
        p, folder = smk.params, Path(smk.output.provenance).parent
        indices = [*smk.input.models, *smk.input.upscalers]
        for name, index in zip(p.models, indices, strict=True):
            copy_half(Path(index).parent, folder / name)
        copy_half(Path(smk.input.clip).parent, folder / "clip")
        copy_half(Path(smk.input.vae).parent, folder / "vae")
        copy_half(Path(smk.input.descriptor).parent, folder / "descriptor")
        copy_half(Path(smk.input.closed).parent, folder / p.closed)
        logs = {Path(path).parent.name: path for path in smk.input.logs}
        trainings = {
            name: summarize_training(read_table(path, "training_log"))
            for name, path in logs.items()
        }
        rows = {
            name: len(pd.read_parquet(path))
            for name, path in zip(p.trained, smk.input.rows, strict=True)
        }
        facts = {
            "config": p.config,
            "rows": rows,
            "trainings": trainings,
            "code": describe_code(smk.input.trainers),
        }
        write_provenance(folder, facts)
        size = sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())
        log.info("%s: %.1f MB", folder, size / 1e6)


if __name__ == "__main__":
    main(snakemake)  # noqa: F821
