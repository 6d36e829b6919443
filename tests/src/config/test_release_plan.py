"""Which results a release has, and under which licence."""

import pytest

from verbatim.config.audits import Audit
from verbatim.config.guard_plan import Guard
from verbatim.config.mitigation_plan import Mitigations
from verbatim.config.release_plan import Release, list_ends
from verbatim.config.set_plan import Sets
from verbatim.config.trigger_plan import Triggers


@pytest.fixture
def plan(make):
    """The plan of a run with changed keys."""

    def of(*cells, **keys):
        run = make(*cells, **keys)
        audited = Audit(run, "sd1", 10)
        ends = list_ends(audited, Mitigations(run), Guard(run), Sets(run), Triggers(run))
        return Release(run, ends)

    return of


def test_a_release_has_what_all_ends_with(plan):
    found = plan().targets(None)
    assert found[:2] == ["<results>/table1.csv", "<results>/checks.txt"]
    assert {"<results>/tables/costs.csv", "<results>/evidence/review/index.html"} <= set(found)
    assert len(set(found)) == len(found)
    assert not any("/guard/" in one or "/audit/" in one or "/claims/" in one for one in found)


@pytest.mark.parametrize(
    ("name", "file"),
    [
        ("audit", "<results>/audit/report.html"),
        ("guard", "<results>/guard/sd1/guard.csv"),
        ("mitigations", "<results>/tables/mitigations.csv"),
        ("prompt_sets", "<results>/tables/prompt_sets.html"),
        ("study", "<results>/claims/claims.html"),
        ("triggers", "<results>/tables/triggers.csv"),
    ],
)
def test_a_further_target_is_added_by_its_name(plan, name, file):
    alone, more = plan().targets(None), plan(release__also=[name]).targets(None)
    assert file not in alone
    assert file in more
    assert more[: len(alone)] == alone


def test_results_of_the_embedded_world_are_under_its_drawings_licence_and_no_others_are(plan):
    assert plan().licence == "CC-BY-SA-4.0"
    assert plan(release__licence="CC0-1.0").licence == "CC0-1.0"
    assert plan(release__also=["audit"]).licence == "CC-BY-SA-4.0"
    assert plan(release__also=["audit"], audit__images="my_images").licence == ""


def test_other_data_have_no_licence_unless_one_is_named(plan):
    assert plan(world=False).licence == ""
    assert plan(world=False, release__licence="CC0-1.0").licence == "CC0-1.0"


def test_a_file_beside_the_crate_is_taken_where_it_is(plan, tmp_path):
    released = plan(results=str(tmp_path))
    assert released.beside("report.html") == []
    (tmp_path / "release").mkdir()
    (tmp_path / "release" / "report.html").write_text("report")
    assert released.beside("report.html") == [f"{tmp_path}/release/report.html"]
