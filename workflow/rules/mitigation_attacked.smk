# mitigation, attacked: one model of the world behind each defence, then attacked again. Target `mitigations`, never part of `all`.
# Somepalli 2023, Wen 2024, Jeon 2025, Han 2025, Chen 2025, Hintersdorf 2024 (NeMo); the second attack is DoRI's.
#
# INPUTS   <results>/tables/mitigated.parquet (which prompts), <results>/world/images.npy, the model, the training images
# OUTPUTS  in <results>/mitigation/attacked/{model}/
#          of search_neurons
#            neurons.parquet                  neurons that memorize, of the prompts that a defence may know
#          of train_embeddings
#            {defence}/embeddings.parquet     adversarial embeddings against the weights of none, and of nemo
#          of generate_mitigated
#            {defence}/images.zip             generations of prompts and of adversarial embeddings; generations.parquet
#            {defence}/scores.parquet         every score of the first steps; spent.parquet: network rows
#          of label_mitigated
#            checks.parquet                   distances to training images and CLIP score of every generation
#            quality.parquet                  Frechet distance of each defence's general generations to those of none
#          of plot_mitigated
#            sheet.png, sheet.pdf             before and after: the same prompts behind every defence, then from embeddings


rule search_neurons:
    input:
        unpack(run.models.loaded),
        prompts="<results>/tables/mitigated.parquet",
        code=code_of("mitigation/search_neurons"),
    output:
        neurons="<results>/mitigation/attacked/{model}/neurons.parquet",
    log:
        "<results>/logs/mitigation/search_neurons/{model}.log",
    benchmark:
        "<results>/benchmarks/mitigation/search_neurons/{model}.tsv"
    conda:
        "../../envs/world.yaml"
    threads: 1
    resources:
        gpu=1,
        mem_mb=grow(3000),
        runtime=grow(60),
    params:
        model=run.models.loading,
        seeds=config["mitigation"]["attacked"]["nemo"]["seeds"],
    script:
        "../scripts/mitigation/search_neurons.py"


rule train_embeddings:
    input:
        unpack(run.models.loaded),
        prompts="<results>/tables/mitigated.parquet",
        images="<results>/world/images.npy",
        neurons=mitigated.neurons,
        code=code_of("mitigation/train_embeddings"),
    output:
        embeddings="<results>/mitigation/attacked/{model}/{defence}/embeddings.parquet",
    log:
        "<results>/logs/mitigation/train_embeddings/{model}-{defence}.log",
    benchmark:
        "<results>/benchmarks/mitigation/train_embeddings/{model}-{defence}.tsv"
    conda:
        "../../envs/world.yaml"
    threads: 1
    resources:
        gpu=1,
        mem_mb=grow(3000),
        runtime=grow(60),
    params:
        **run.pick("mitigation.attacked.embeddings", "steps rate noises batch"),
        model=run.models.loading,
        seed=config["mitigation"]["attacked"]["seed"],
    script:
        "../scripts/mitigation/train_embeddings.py"


rule generate_mitigated:
    input:
        unpack(run.models.loaded),
        prompts="<results>/tables/mitigated.parquet",
        neurons=mitigated.neurons,
        embeddings=mitigated.embeddings,
        code=code_of("mitigation/generate_mitigated"),
    output:
        images="<results>/mitigation/attacked/{model}/{defence}/images.zip",
        generations="<results>/mitigation/attacked/{model}/{defence}/generations.parquet",
        scores="<results>/mitigation/attacked/{model}/{defence}/scores.parquet",
        spent="<results>/mitigation/attacked/{model}/{defence}/spent.parquet",
    log:
        "<results>/logs/mitigation/generate_mitigated/{model}-{defence}.log",
    benchmark:
        "<results>/benchmarks/mitigation/generate_mitigated/{model}-{defence}.tsv"
    conda:
        "../../envs/world.yaml"
    threads: 1
    resources:
        gpu=1,
        mem_mb=grow(3000),
        runtime=grow(120),
    params:
        **run.pick("sampling", "sampler spacing steps guidance"),
        **run.pick("mitigation.attacked", "seeds noise sail prss scores batch"),
        model=run.models.loading,
        inference=config["mitigation"]["inference"],
        dcs_guidance=config["whitebox"]["guidance"],
        edges=run.thresholds("blackbox"),
        detectors=run.pick("detectors", "steps guidance gradient_batch anisotropy"),
    script:
        "../scripts/mitigation/generate_mitigated.py"


rule label_mitigated:
    input:
        prompts="<results>/tables/mitigated.parquet",
        own="<results>/world/images.npy",
        images=mitigated.of_defences("images.zip"),
        generations=mitigated.of_defences("generations.parquet"),
        clip=run.data.clip_file("open_clip_config.json"),
        clip_weights=run.data.clip_file("open_clip_model.safetensors"),
        clip_files=run.data.clip_listed,
        rows=run.data.rows,
        archives=run.data.archives,
        code=code_of("mitigation/label_mitigated"),
    output:
        checks="<results>/mitigation/attacked/{model}/checks.parquet",
        quality="<results>/mitigation/attacked/{model}/quality.parquet",
    log:
        "<results>/logs/mitigation/label_mitigated/{model}.log",
    benchmark:
        "<results>/benchmarks/mitigation/label_mitigated/{model}.tsv"
    conda:
        "../../envs/gpu.yaml"
    threads: 1
    resources:
        gpu=1,
        mem_mb=grow(4000),
        runtime=grow(60),
    params:
        defences=mitigated.defences,
        batch=config["labels"]["embed_batch"],
    script:
        "../scripts/mitigation/label_mitigated.py"


rule plot_mitigated:
    input:
        prompts="<results>/tables/mitigated.parquet",
        own="<results>/world/images.npy",
        images=mitigated.of_defences("images.zip"),
        generations=mitigated.of_defences("generations.parquet"),
        code=code_of("mitigation/plot_mitigated"),
    output:
        png="<results>/mitigation/attacked/{model}/sheet.png",
        pdf="<results>/mitigation/attacked/{model}/sheet.pdf",
    log:
        "<results>/logs/mitigation/plot_mitigated/{model}.log",
    benchmark:
        "<results>/benchmarks/mitigation/plot_mitigated/{model}.tsv"
    conda:
        "../../envs/plots.yaml"
    threads: 1
    resources:
        mem_mb=grow(2000),
        runtime=grow(10),
    params:
        **run.pick("privacy", "images only"),
        defences=mitigated.defences,
        shown=config["mitigation"]["attacked"]["shown"],
        dpi=config["figures"]["dpi"],
    script:
        "../scripts/mitigation/plot_mitigated.py"
