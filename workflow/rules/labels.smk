# labels: candidate prompts of a model -> MV, RV, TV or N, with distances, sources and masks.
# Webster 2023, section 4 and Table 1.
#
# INPUTS   <results>/dedup/{prompts,clusters,copies,index.faiss,pairs/}, <results>/inputs/rows/, the model, the CLIP of the
#          embeddings; by the sheet's column `candidates` also
#            own         scores of whitebox, blackbox and postfilter of the model
#            top:m       scores of blackbox of model m
#            found:m,n   labels of models m and n
# OUTPUTS  <results>/labels/{model}/selection.parquet   the candidates, and why they are
#          <results>/labels/{model}/images.zip          their syntheses, {prompt_id}_{seed}.png; cost.parquet
#          <results>/labels/{model}/neighbours.parquet  nearest training rows of each synthesis
#          <results>/labels/{model}/training.zip        pictures of these rows and their relatives; fetched.parquet
#          <results>/labels/{model}/labels.parquet      a label a candidate; masks.zip: template masks


rule select_candidates:
    input:
        unpack(candidate_files),
        prompts="<results>/dedup/prompts.parquet",
        code=code("labels/candidates"),
    output:
        selection="<results>/labels/{model}/selection.parquet",
    log:
        "<results>/logs/labels/select_candidates/{model}.log",
    benchmark:
        "<results>/benchmarks/labels/select_candidates/{model}.tsv"
    conda:
        "../../envs/core.yaml"
    threads: 1
    resources:
        mem_mb=2000,
        runtime=10,
    params:
        candidates=candidates_of,
        found_in=found_in,
        n_prompts=lambda wildcards: config["labels"][
            (
                "n_transfer"
                if candidates_of(wildcards).startswith("top:")
                else "n_prompts"
            )
        ],
    script:
        "../scripts/labels/select_candidates.py"


rule generate_candidates:
    input:
        selection="<results>/labels/{model}/selection.parquet",
        model=model_folder,
        weights=model_weights,
        checked=checked_model,
        code=code(
            "images",
            "diffusion/denoiser",
            "diffusion/latent",
            "diffusion/load",
            "diffusion/noise",
            "diffusion/pixel",
            "diffusion/sampling",
            "diffusion/stacks",
        ),
    output:
        images="<results>/labels/{model}/images.zip",
        cost="<results>/labels/{model}/cost.parquet",
    log:
        "<results>/logs/labels/generate_candidates/{model}.log",
    benchmark:
        "<results>/benchmarks/labels/generate_candidates/{model}.tsv"
    conda:
        "../../envs/gpu.yaml"
    threads: 1
    resources:
        gpu=1,
        mem_mb=8000,
        runtime=1440,
    params:
        model=loading_row,
        seeds=config["labels"]["seeds"],
        prompts_a_part=config["labels"]["prompts_a_part"],
        sampler=config["sampling"]["sampler"],
        steps=config["sampling"]["steps"],
        guidance=config["sampling"]["guidance"],
        batch=config["sampling"]["batch"],
    script:
        "../scripts/labels/generate_candidates.py"


rule search_neighbours:
    input:
        selection="<results>/labels/{model}/selection.parquet",
        images="<results>/labels/{model}/images.zip",
        index="<results>/dedup/index.faiss",
        clip=clip_file("open_clip_config.json"),
        clip_weights=clip_file("open_clip_model.safetensors"),
        code=code("clip", "images", "search", "labels/neighbours"),
    output:
        neighbours="<results>/labels/{model}/neighbours.parquet",
    log:
        "<results>/logs/labels/search_neighbours/{model}.log",
    benchmark:
        "<results>/benchmarks/labels/search_neighbours/{model}.tsv"
    conda:
        "../../envs/gpu.yaml"
    threads: 1
    resources:
        gpu=1,
        mem_mb=8000,
        runtime=240,
    params:
        seeds=config["labels"]["seeds"],
        neighbours=config["labels"]["neighbours"],
        batch=config["labels"]["embed_batch"],
    script:
        "../scripts/labels/search_neighbours.py"


rule fetch_pictures:
    input:
        selection="<results>/labels/{model}/selection.parquet",
        neighbours="<results>/labels/{model}/neighbours.parquet",
        rows=expand("<results>/inputs/rows/{shard}.parquet", shard=input_shards()),
        pairs=expand("<results>/dedup/pairs/{shard}.parquet", shard=input_shards()),
        clusters="<results>/dedup/clusters.parquet",
        copies="<results>/dedup/copies.parquet",
        archives=picture_archives(),
        code=code("images", "dedup/relatives", "inputs/pictures"),
    output:
        pictures="<results>/labels/{model}/training.zip",
        fetched="<results>/labels/{model}/fetched.parquet",
        relatives="<results>/labels/{model}/relatives.parquet",
    log:
        "<results>/logs/labels/fetch_pictures/{model}.log",
    benchmark:
        "<results>/benchmarks/labels/fetch_pictures/{model}.tsv"
    conda:
        "../../envs/core.yaml"
    threads: 1
    resources:
        mem_mb=4000,
        runtime=240,
    params:
        relatives=config["labels"]["relatives"],
    script:
        "../scripts/labels/fetch_pictures.py"


rule label_candidates:
    input:
        selection="<results>/labels/{model}/selection.parquet",
        images="<results>/labels/{model}/images.zip",
        neighbours="<results>/labels/{model}/neighbours.parquet",
        training="<results>/labels/{model}/training.zip",
        fetched="<results>/labels/{model}/fetched.parquet",
        relatives="<results>/labels/{model}/relatives.parquet",
        code=code(
            "compare",
            "guards",
            "images",
            "labels/label",
            "labels/masks",
            "labels/training",
        ),
    output:
        labels="<results>/labels/{model}/labels.parquet",
        masks="<results>/labels/{model}/masks.zip",
    log:
        "<results>/logs/labels/label_candidates/{model}.log",
    benchmark:
        "<results>/benchmarks/labels/label_candidates/{model}.tsv"
    conda:
        "../../envs/core.yaml"
    threads: 1
    resources:
        mem_mb=4000,
        runtime=720,
    params:
        preset=config["labels"]["preset"],
        thresholds=config["labels"]["presets"][config["labels"]["preset"]],
        order=config["labels"]["order"],
        seeds=config["labels"]["seeds"],
        size=config["labels"]["size"],
        mask=config["labels"]["mask"],
        guards=config["labels"]["guards"],
    script:
        "../scripts/labels/label_candidates.py"
