# labels, the training images that generations are compared with: found by embedding, read from archives or by url.


rule search_neighbours:
    input:
        selection="<results>/labels/{model}/selection.parquet",
        images="<results>/labels/{model}/images.zip",
        index=index_parts(),
        clip=clip_file("open_clip_config.json"),
        clip_weights=clip_file("open_clip_model.safetensors"),
        clip_files=listed_clip(),
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
        seeds=label_seeds,
        neighbours=config["labels"]["neighbours"],
        batch=config["labels"]["embed_batch"],
    script:
        "../scripts/labels/search_neighbours.py"


rule select_images:
    input:
        selection="<results>/labels/{model}/selection.parquet",
        neighbours="<results>/labels/{model}/neighbours.parquet",
        rows=expand("<results>/inputs/rows/{shard}.parquet", shard=input_shards()),
        pairs=expand("<results>/dedup/pairs/{shard}.parquet", shard=input_shards()),
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
        archives=image_archives(),
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
        mem_mb=grow(2500 + downloaded_mb()),
        runtime=grow(2880),
    params:
        cache=url_cache(),
        retry_failed=config["inputs"]["download"]["retry_failed"],
        workers=config["inputs"]["download"]["workers"],
        per_host=config["inputs"]["download"]["per_host"],
        retries=config["inputs"]["download"]["retries"],
        timeout=config["inputs"]["download"]["timeout"],
        deadline=config["inputs"]["download"]["deadline"],
        max_bytes=config["inputs"]["download"]["max_bytes"],
        max_redirects=config["inputs"]["download"]["max_redirects"],
        disallowed=config["inputs"]["download"]["disallowed"],
        most_missing=config["inputs"]["most_missing"],
    script:
        "../scripts/labels/fetch_urls.py"


rule fetch_images:
    input:
        wanted="<results>/labels/{model}/wanted.parquet",
        urls=lambda wildcards: (
            f"<results>/labels/{wildcards.model}/urls.parquet"
            if config["inputs"]["fetch_urls"]
            else []
        ),
        archives=image_archives(),
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
        cache=url_cache(),
        most_missing=config["inputs"]["most_missing"],
    script:
        "../scripts/labels/fetch_images.py"
