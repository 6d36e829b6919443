"""The alarm for missing images: one is recorded, most of them end the job with the reasons and the cure."""

import pytest

from verbatim.io.missing import MissingError, check_missing, kind_of_reason


def reasons(n: int) -> dict[str, int]:
    return {f"data/0000{i}.tar has no image '{i}'": 1 for i in range(n)}


@pytest.mark.parametrize(("missing", "total"), [(0, 0), (1, 1), (1, 2), (5, 10), (500, 1000)])
def test_what_is_missing_up_to_the_share_and_one_of_few_is_no_alarm(missing, total):
    check_missing(reasons(missing), total, 0.5, "images")


@pytest.mark.parametrize(("missing", "total"), [(2, 2), (2, 3), (6, 10), (501, 1000)])
def test_most_of_them_missing_ends_the_job_unless_the_user_says_otherwise(missing, total):
    with pytest.raises(
        MissingError, match=rf"^{missing} of {total:,} images are missing or broken"
    ):
        check_missing(reasons(missing), total, 0.5, "images")
    check_missing(reasons(missing), total, 1, "images")


def test_the_alarm_tells_the_most_frequent_reasons_with_an_example_each_and_the_cure():
    found = reasons(40) | {
        "https://x.invalid/7.jpg: failed_to_download: HTTP 404": 9,
        "odd": 1,
        "odder": 1,
    }
    with pytest.raises(MissingError) as error:
        check_missing(found, 60, 0.5, "training images", "Bring the tars (inputs.images)")
    assert str(error.value) == (
        "51 of 60 training images are missing or broken, more than the share 0.5 that inputs.most_missing allows:\n"
        "40 times, for example: data/00000.tar has no image '0'\n"
        "9 times, for example: https://x.invalid/7.jpg: failed_to_download: HTTP 404\n"
        "1 times, for example: odd\n"
        "and 1 other reasons\n"
        "Bring the tars (inputs.images); or set inputs.most_missing to a larger share (1: never ends a job) if this "
        "is what the data are like"
    )


def test_reasons_that_differ_in_names_and_numbers_are_one():
    same = {
        kind_of_reason(
            f"/d/{i}.tar: 'a/{i}.jpg': broken image: image file is truncated ({i} bytes not processed)"
        )
        for i in range(9)
    }
    assert len(same) == 1
    assert kind_of_reason("HTTP 404") != kind_of_reason("no such file")
