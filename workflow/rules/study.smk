# Helper functions of the copying study, which is made of the stages sweep, mitigation, similarity, membership and
# claims; no rules. SWEEP (common.smk) is the plan of its points and runs; see verbatim/config/sweep_plan.py.
def training_seed(wildcards):
    """Params function: seed of a training."""
    return sweep_plan.seed_for(wildcards.seed, "training")


def point_settings(wildcards):
    """Params function: what decides a point's training, its line of the sheet without its name."""
    return SWEEP.every[wildcards.point].settings()


def training_constants(wildcards):
    """Params function: the entries of `sweep.mitigations` that a point's mitigation reads."""
    entries, point = config["sweep"]["mitigations"], SWEEP.every[wildcards.point]
    return sweep_plan.used_constants(entries, "mitigations", point.mitigation)


def defence_constants(wildcards):
    """Params function: the entries of `mitigation.inference` that a defence reads."""
    entries = config["mitigation"]["inference"]
    return sweep_plan.used_constants(entries, "inference", wildcards.defence)


def of_seed(pattern):
    """Input function: this file of every point that was trained for a study seed."""
    return lambda wildcards: SWEEP.of_seed(pattern, int(wildcards.seed))


def detector_files(wildcards):
    """Input function: the files of the copy detectors, each looked at before any work is done for it."""
    return checked_detectors()


@functools.cache
def checked_detectors():
    from verbatim.models import descriptor_specs

    try:
        return descriptor_specs.check_descriptors(config["similarity"])
    except descriptor_specs.DescriptorError as err:
        raise WorkflowError(str(err))


def users_prompts(wildcards):
    """Input function: the file of users' prompts, looked at before any work; the world's own, or the one given."""
    from verbatim.io import user_prompts

    given = config["mitigation"]["users"]["prompts"]
    if given == "world":
        return "<results>/mitigation/users/metadata.parquet"
    try:
        user_prompts.check_prompts(given)
    except user_prompts.UsersError as err:
        raise WorkflowError(str(err))
    return given
