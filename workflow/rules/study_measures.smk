# study, measuring: what the pictures of a run are like and unlike. Somepalli 2022 and 2023.
#
# INPUTS   <results>/study/runs/{point}/{seed}/{defence}/pictures.zip, generations.parquet; the points' rows and state
# OUTPUTS  <results>/study/features.npz                   descriptors and complexity of every picture of the pool
#          <results>/study/runs/{point}/{seed}/{defence}/similarities.parquet, measures.parquet


def detector_files(wildcards):
    """The files of the copy detectors, each looked at before any work is done for it."""
    return checked_detectors()


@functools.cache
def checked_detectors():
    from verbatim.study import specs

    try:
        return specs.check_descriptors(config["study"]["measures"])
    except specs.DescriptorError as err:
        raise WorkflowError(str(err))


rule embed_pool:
    input:
        pool=rules.select_pool.output.pool,
        pictures=rules.build_pictures.output.pictures,
        clip=clip_file("open_clip_config.json"),
        clip_weights=clip_file("open_clip_model.safetensors"),
        detectors=detector_files,
        code=code(
            "clip",
            "compare",
            "images",
            "search",
            "study/complexity",
            "study/copies",
            "study/descriptors",
            "study/features",
            "study/measures",
            "study/preprocessing",
            "study/quality",
            "study/similarity",
            "study/specs",
            "tables/statistics",
        ),
    output:
        features="<results>/study/features.npz",
    log:
        "<results>/logs/study/embed_pool.log",
    benchmark:
        "<results>/benchmarks/study/embed_pool.tsv"
    conda:
        "../../envs/gpu.yaml"
    threads: 1
    resources:
        gpu=1,
        mem_mb=grow(3000),
        runtime=grow(30),
    params:
        descriptors=config["study"]["measures"]["descriptors"],
        inception=config["study"]["measures"]["inception"],
    script:
        "../scripts/study/embed_pool.py"


rule count_similarity:
    input:
        pool=rules.select_pool.output.pool,
        training=rules.build_pictures.output.pictures,
        rows=rules.train_point.output.rows,
        state=rules.train_point.output.state,
        pictures=rules.generate_point.output.pictures,
        generations=rules.generate_point.output.generations,
        features=rules.embed_pool.output.features,
        clip=clip_file("open_clip_config.json"),
        clip_weights=clip_file("open_clip_model.safetensors"),
        detectors=detector_files,
        code=code(
            "clip",
            "compare",
            "images",
            "search",
            "study/complexity",
            "study/copies",
            "study/descriptors",
            "study/features",
            "study/measures",
            "study/preprocessing",
            "study/quality",
            "study/runs",
            "study/similarity",
            "study/specs",
            "tables/statistics",
        ),
    output:
        similarities="<results>/study/runs/{point}/{seed}/{defence}/similarities.parquet",
        measures="<results>/study/runs/{point}/{seed}/{defence}/measures.parquet",
    log:
        "<results>/logs/study/count_similarity/{point}-{seed}-{defence}.log",
    benchmark:
        "<results>/benchmarks/study/count_similarity/{point}-{seed}-{defence}.tsv"
    priority: 50
    conda:
        "../../envs/gpu.yaml"
    threads: 1
    resources:
        gpu=1,
        mem_mb=grow(3000),
        runtime=grow(30),
    params:
        descriptors=config["study"]["measures"]["descriptors"],
        first=config["study"]["measures"]["descriptor"],
        inception=config["study"]["measures"]["inception"],
        threshold=config["study"]["measures"]["threshold"],
        resamples=config["study"]["measures"]["resamples"],
        confidence=config["tables"]["confidence"],
        copy_rmse=config["labels"]["presets"][config["labels"]["preset"]]["mv"],
    script:
        "../scripts/study/count_similarity.py"
