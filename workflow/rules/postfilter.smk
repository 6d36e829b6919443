# postfilter: the top prompts -> many full syntheses, and cliques of near copies among them.
# Carlini et al. 2023, section 4; the `+Carlini` variant of Webster 2023, section 4 and Fig. 3.
#
# INPUTS   <results>/blackbox/{model}/{selection,scores}.parquet, the model
# OUTPUTS  <results>/postfilter/{model}/selection.parquet  top prompts by ECS, and all extra ones
#          <results>/postfilter/{model}/images.zip         every synthesis, {prompt_id}_{seed}.png
#          <results>/postfilter/{model}/scores.parquet     clique size and distance, kept or not, how certain
#          <results>/postfilter/{model}/cost.parquet       network rows


rule select_postfilter:
    input:
        selection="<results>/blackbox/{model}/selection.parquet",
        scores="<results>/blackbox/{model}/scores.parquet",
        code=code("ranking"),
    output:
        selection="<results>/postfilter/{model}/selection.parquet",
    log:
        "<results>/logs/postfilter/select_postfilter/{model}.log",
    benchmark:
        "<results>/benchmarks/postfilter/select_postfilter/{model}.tsv"
    conda:
        "../../envs/core.yaml"
    threads: 1
    resources:
        mem_mb=1000,
        runtime=10,
    params:
        n_prompts=config["postfilter"]["n_prompts"],
    script:
        "../scripts/postfilter/select_postfilter.py"


rule filter_prompts:
    input:
        selection="<results>/postfilter/{model}/selection.parquet",
        model=model_folder,
        weights=model_weights,
        checked=checked_model,
        code=code(
            "images",
            "ranking",
            "diffusion/denoiser",
            "diffusion/folders",
            "diffusion/latent",
            "diffusion/load",
            "diffusion/noise",
            "diffusion/pixel",
            "diffusion/sampling",
            "diffusion/sentencepiece",
            "diffusion/stacks",
            "postfilter/cliques",
            "postfilter/filtering",
            "postfilter/stopping",
            "postfilter/tiles",
        ),
    output:
        images="<results>/postfilter/{model}/images.zip",
        scores="<results>/postfilter/{model}/scores.parquet",
        cost="<results>/postfilter/{model}/cost.parquet",
    log:
        "<results>/logs/postfilter/filter_prompts/{model}.log",
    benchmark:
        "<results>/benchmarks/postfilter/filter_prompts/{model}.tsv"
    conda:
        "../../envs/gpu.yaml"
    threads: 1
    resources:
        gpu=1,
        mem_mb=8000,
        runtime=2880,
    params:
        model=loading_row,
        preset=config["postfilter"]["preset"],
        thresholds=config["postfilter"]["presets"][config["postfilter"]["preset"]],
        n_images=config["postfilter"]["n_images"],
        first_round=config["postfilter"]["first_round"],
        stop_early=config["postfilter"]["stop_early"],
        futility=config["postfilter"]["futility"],
        max_nodes=config["postfilter"]["max_nodes"],
        prompts_a_part=config["postfilter"]["prompts_a_part"],
        sampler=config["sampling"]["sampler"],
        steps=config["sampling"]["steps"],
        guidance=config["sampling"]["guidance"],
        batch=config["sampling"]["batch"],
    script:
        "../scripts/postfilter/filter_prompts.py"
