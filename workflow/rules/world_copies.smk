# The embedded world, its copy descriptor, which labels are compared with (labels.copies): SSCD's recipe in small
# (Pizzi 2022), trained on scenes of its own.
#
# INPUTS   <results>/world/drawings.npy, drawings.parquet, and the CLIP of the embeddings
# OUTPUTS  in <results>/world/
#          of train_descriptor
#            descriptor/                      the descriptor; training/descriptor/log.parquet: its losses
#          of score_pairs
#            pairs.parquet                    what the descriptor and CLIP say of pairs that no training has seen


# trained on scenes of its own: it knows none of the images that it is asked about
rule train_descriptor:
    input:
        drawings="<results>/world/drawings.npy",
        table="<results>/world/drawings.parquet",
        code=code_of("world/train_descriptor"),
    output:
        config="<results>/world/descriptor/config.json",
        weights="<results>/world/descriptor/model.safetensors",
        training_log="<results>/world/training/descriptor/log.parquet",
    log:
        "<results>/logs/world/train_descriptor.log",
    benchmark:
        "<results>/benchmarks/world/train_descriptor.tsv"
    priority: 50
    conda:
        "../../envs/world.yaml"
    threads: 1
    resources:
        gpu=1,
        mem_mb=grow(3000),
        runtime=grow(60),
    params:
        **run.pick("world", "size planted checkpoint_every"),
        world_seed=config["world"]["seed"],
        settings=config["world"]["descriptor"],
        seed=run.training.seed("descriptor"),
        checkpoint=run.training.checkpoint("descriptor"),
    script:
        "../scripts/world/train_descriptor.py"


rule score_pairs:
    input:
        drawings="<results>/world/drawings.npy",
        table="<results>/world/drawings.parquet",
        descriptor=run.copies.files,
        clip=run.data.clip_file("open_clip_config.json"),
        clip_weights=run.data.clip_file("open_clip_model.safetensors"),
        code=code_of("world/score_pairs"),
    output:
        pairs="<results>/world/pairs.parquet",
    log:
        "<results>/logs/world/score_pairs.log",
    benchmark:
        "<results>/benchmarks/world/score_pairs.tsv"
    conda:
        "../../envs/world.yaml"
    threads: 1
    resources:
        gpu=1,
        mem_mb=grow(3000),
        runtime=grow(20),
    params:
        **run.pick("world", "size planted"),
        **run.pick("labels.copies", "pairs background"),
        world_seed=config["world"]["seed"],
        seed=run.training.seed("pairs"),
        training_seed=run.training.seed("descriptor"),
        name=run.copies.name,
        spec=run.copies.spec,
    script:
        "../scripts/world/score_pairs.py"
