# labels, the training images that generations are compared with: found by embedding, read from archives or by url.
#
# INPUTS   <results>/labels/{model}/{selection.parquet,images.zip}, the CLIP of the embeddings, <results>/inputs/rows/,
#          <results>/dedup/{index/,pairs/,clusters.parquet,copies.parquet}, the archives of the training data
# OUTPUTS  in <results>/labels/{model}/
#          of search_neighbours
#            neighbours.parquet               nearest training rows of each generation
#          of select_images
#            wanted.parquet                   these rows and their relatives, whose images are needed
#            relatives.parquet                which rows are relatives of which
#          of fetch_urls, with inputs.fetch_urls
#            urls.parquet                     what came of their urls
#          of fetch_images
#            training.zip                     their images; fetched.parquet: where each was found
#          of search_copies, where labels.copies names a copy descriptor
#            copy_neighbours.parquet          of these images the most similar to each generation


rule search_neighbours:
    input:
        selection="<results>/labels/{model}/selection.parquet",
        images="<results>/labels/{model}/images.zip",
        index=run.data.index,
        clip=run.data.clip_file("open_clip_config.json"),
        clip_weights=run.data.clip_file("open_clip_model.safetensors"),
        clip_files=run.data.clip_listed,
        code=code_of("labels/search_neighbours"),
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
        mem_mb=grow(8000),
        runtime=grow(240),
    params:
        seeds=run.models.seeds,
        neighbours=config["labels"]["neighbours"],
        batch=config["labels"]["embed_batch"],
    script:
        "../scripts/labels/search_neighbours.py"


rule select_images:
    input:
        selection="<results>/labels/{model}/selection.parquet",
        neighbours="<results>/labels/{model}/neighbours.parquet",
        rows=run.data.rows,
        pairs=run.data.pairs,
        clusters="<results>/dedup/clusters.parquet",
        copies="<results>/dedup/copies.parquet",
        code=code_of("labels/select_images"),
    output:
        wanted="<results>/labels/{model}/wanted.parquet",
        relatives="<results>/labels/{model}/relatives.parquet",
    log:
        "<results>/logs/labels/select_images/{model}.log",
    benchmark:
        "<results>/benchmarks/labels/select_images/{model}.tsv"
    conda:
        "../../envs/core.yaml"
    threads: 1
    resources:
        mem_mb=grow(4000),
        runtime=grow(120),
    params:
        relatives=config["labels"]["relatives"],
    script:
        "../scripts/labels/select_images.py"


# a download is not a computation: one at a time with `--resources downloads=1`, and never on a compute node
# without internet
if config["inputs"]["download"]["local"]:

    localrules:
        fetch_urls,


rule fetch_urls:
    input:
        wanted="<results>/labels/{model}/wanted.parquet",
        archives=run.data.archives,
        code=code_of("labels/fetch_urls"),
    output:
        urls="<results>/labels/{model}/urls.parquet",
    log:
        "<results>/logs/labels/fetch_urls/{model}.log",
    benchmark:
        "<results>/benchmarks/labels/fetch_urls/{model}.tsv"
    conda:
        "../../envs/fetch.yaml"
    threads: 1
    resources:
        downloads=1,
        mem_mb=grow(2500 + run.data.downloads_mb),
        runtime=grow(2880),
    params:
        **run.pick("inputs.download", "retry_failed workers per_host retries timeout"),
        **run.pick("inputs.download", "deadline max_bytes max_redirects disallowed"),
        cache=run.data.url_cache,
        most_missing=config["inputs"]["most_missing"],
    script:
        "../scripts/labels/fetch_urls.py"


rule fetch_images:
    input:
        wanted="<results>/labels/{model}/wanted.parquet",
        urls=run.urls,
        archives=run.data.archives,
        code=code_of("labels/fetch_images"),
    output:
        images="<results>/labels/{model}/training.zip",
        fetched="<results>/labels/{model}/fetched.parquet",
    log:
        "<results>/logs/labels/fetch_images/{model}.log",
    benchmark:
        "<results>/benchmarks/labels/fetch_images/{model}.tsv"
    conda:
        "../../envs/core.yaml"
    threads: 1
    resources:
        mem_mb=grow(4000),
        runtime=grow(240),
    params:
        cache=run.data.url_cache,
        most_missing=config["inputs"]["most_missing"],
    script:
        "../scripts/labels/fetch_images.py"


rule search_copies:
    input:
        selection="<results>/labels/{model}/selection.parquet",
        images="<results>/labels/{model}/images.zip",
        training="<results>/labels/{model}/training.zip",
        fetched="<results>/labels/{model}/fetched.parquet",
        descriptor=run.copies.files,
        code=code_of("labels/search_copies"),
    output:
        neighbours="<results>/labels/{model}/copy_neighbours.parquet",
    log:
        "<results>/logs/labels/search_copies/{model}.log",
    benchmark:
        "<results>/benchmarks/labels/search_copies/{model}.tsv"
    conda:
        "../../envs/gpu.yaml"
    threads: 1
    resources:
        gpu=1,
        mem_mb=grow(8000),
        runtime=grow(240),
    params:
        seeds=run.models.seeds,
        batch=config["labels"]["embed_batch"],
        neighbours=config["labels"]["copies"]["neighbours"],
        spec=run.copies.spec,
    script:
        "../scripts/labels/search_copies.py"
