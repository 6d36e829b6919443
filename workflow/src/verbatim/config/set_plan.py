"""Which files the rules of published prompt sets need: target `prompt_sets`."""

from __future__ import annotations

from verbatim.config.run import ATTACK, Run
from verbatim.config.set_files import asks_sets, set_files


class Sets:
    """The config block `prompt_sets`, as rules need it."""

    def __init__(self, run: Run):
        self._run = run

    @property
    def files(self) -> list[str]:
        """Every file of the published prompt sets."""
        return set_files(self._run.config)

    @property
    def prompts(self) -> str:
        """Name of the table of the sets' prompts: that of the run's prompts where it asks for them, else one that nothing needs."""
        return "prompts" if asks_sets(self._run.config) else "prompts_of_sets"

    @property
    def prompt_list(self) -> str | list[str]:
        """The file of captions that are the run's prompts, or nothing."""
        config = self._run.config
        return [] if asks_sets(config) else config["dedup"]["prompt_list"] or []

    @property
    def cliques(self) -> list[str]:
        """The scores of the post-filter, where they are asked for on the sets."""
        return self._run.scores("postfilter") if self._filtered else []

    @property
    def stages(self) -> list[str]:
        """The stages whose scores are compared on the sets."""
        return [*ATTACK] if self._filtered else [*ATTACK[:2]]

    @property
    def targets(self) -> list[str]:
        """What the target `prompt_sets` ends with; scores where the prompts of the run are those of the sets."""
        scored = ["<results>/tables/set_scores.html"] if asks_sets(self._run.config) else []
        return ["<results>/tables/prompt_sets.html", *scored]

    @property
    def _filtered(self) -> bool:
        return bool(self._run.config["prompt_sets"]["postfilter"])
