# blackbox: the top prompts and a model -> one-step pictures, Edge Consistency Score. Webster 2023, eq. 3.
#
# INPUTS   <results>/dedup/prompts.parquet, <results>/whitebox/{model}/scores.parquet, the model's folder
# OUTPUTS  <results>/blackbox/{model}/selection.parquet   the top prompts by DCS, and all extra ones
#          <results>/blackbox/{model}/images.zip          one-step pictures; cost.parquet: network rows
#          <results>/blackbox/{model}/scores.parquet      from the pictures alone: that makes it black box


rule select_blackbox:
    input:
        prompts="<results>/dedup/prompts.parquet",
        scores="<results>/whitebox/{model}/scores.parquet",
        code=code("ranking"),
    output:
        selection="<results>/blackbox/{model}/selection.parquet",
    log:
        "<results>/logs/blackbox/select_blackbox/{model}.log",
    benchmark:
        "<results>/benchmarks/blackbox/select_blackbox/{model}.tsv"
    conda:
        "../../envs/core.yaml"
    threads: 1
    resources:
        mem_mb=2000,
        runtime=10,
    params:
        n_prompts=config["blackbox"]["n_prompts"],
    script:
        "../scripts/blackbox/select_blackbox.py"


rule generate_blackbox:
    input:
        selection="<results>/blackbox/{model}/selection.parquet",
        model=model_folder,
        weights=model_weights,
        checked=checked_model,
        code=code(
            "diffusion/denoiser",
            "diffusion/latent",
            "diffusion/load",
            "diffusion/noise",
            "diffusion/pixel",
            "diffusion/sampling",
            "images",
        ),
    output:
        images="<results>/blackbox/{model}/images.zip",
        cost="<results>/blackbox/{model}/cost.parquet",
    log:
        "<results>/logs/blackbox/generate_blackbox/{model}.log",
    benchmark:
        "<results>/benchmarks/blackbox/generate_blackbox/{model}.tsv"
    conda:
        "../../envs/gpu.yaml"
    threads: 1
    resources:
        gpu=1,
        mem_mb=8000,
        runtime=720,
    params:
        model=loading_row,
        guidances=one_step_guidances(),
        seeds=config["blackbox"]["seeds"],
        batch=config["blackbox"]["batch"],
        prompts_a_part=config["blackbox"]["prompts_a_part"],
    script:
        "../scripts/blackbox/generate_blackbox.py"


rule score_blackbox:
    input:
        selection="<results>/blackbox/{model}/selection.parquet",
        images="<results>/blackbox/{model}/images.zip",
        code=code("blackbox/consistency", "blackbox/ecs", "images", "ranking"),
    output:
        scores="<results>/blackbox/{model}/scores.parquet",
    log:
        "<results>/logs/blackbox/score_blackbox/{model}.log",
    benchmark:
        "<results>/benchmarks/blackbox/score_blackbox/{model}.tsv"
    conda:
        "../../envs/core.yaml"
    threads: 1
    resources:
        mem_mb=2000,
        runtime=240,
    params:
        seeds=config["blackbox"]["seeds"],
        preset=config["blackbox"]["preset"],
        presets=config["blackbox"]["presets"],
    script:
        "../scripts/blackbox/score_blackbox.py"
