"""Train the world's copy descriptor, on scenes that no other network is trained on, and save it."""

from pathlib import Path
from typing import Any

from verbatim.io.atomic import new_folder
from verbatim.io.records import read_table
from verbatim.io.seals import read_array, seal_folder
from verbatim.models.copy_network import save_network
from verbatim.runtime import TrainingReport, device, script
from verbatim.world.copy_detection import describe_config, train_copy_network
from verbatim.world.descriptor_scenes import draw_fresh, split_planted
from verbatim.world.training import TrainingRun


def main(smk: Any) -> None:
    with script(smk) as log:
        p = smk.params
        table = read_table(smk.input.table, "images")
        split = split_planted(table, read_array(smk.input.drawings), p.planted, p.world_seed)
        images = draw_fresh(split.trained, p.settings["images"], p.size, p.seed)
        report = TrainingReport("descriptor", p.settings["steps"])
        network = train_copy_network(
            images, split.trained, p.settings,
            TrainingRun(p.seed, device(), Path(p.checkpoint), p.checkpoint_every, report),
        )  # fmt: skip
        with new_folder(Path(smk.output.config).parent) as folder:
            save_network(folder, network, describe_config(p.settings, p.size))
            seal_folder(folder)
        report.write(smk.output.training_log, p.checkpoint)
        log.info("saved %s", smk.output.config)


if __name__ == "__main__":
    main(snakemake)  # noqa: F821
