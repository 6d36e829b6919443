# Functions of the copying study that look at a user's files only if a job needs them; no rules. The study is made of
# the stages sweep, mitigation, similarity, membership and claims. SWEEP (common.smk): verbatim/config/sweep_plan.py.
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


def detectors_state(wildcards, input):
    """Params function: what tells that a file of a copy detector is another one."""
    return sources.files_state(input.detectors)


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
