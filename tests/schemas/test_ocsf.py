"""The words of OCSF that we speak agree with each other."""

from __future__ import annotations

import pytest

from tachograph.schemas import ocsf


@pytest.mark.parametrize("class_uid", ocsf.CLASSES)
def test_types_follow_from_class_and_activity(class_uid: int) -> None:
    """Number and name of each type, for every activity of every class."""
    for activity, caption in ocsf.CLASS_ACTIVITIES[class_uid].items():
        assert ocsf.type_uid(class_uid, activity) == class_uid * 100 + activity
        assert ocsf.type_name(class_uid, activity) == f"{ocsf.CLASSES[class_uid]}: {caption}"


def test_every_class_has_its_category() -> None:
    """The class's first digit."""
    assert {uid // 1000 for uid in ocsf.CLASSES} == set(ocsf.CATEGORIES)


def test_every_http_method_is_an_activity() -> None:
    """A method that has a number has a name, and no two share one."""
    assert set(ocsf.HTTP_METHODS.values()) <= set(ocsf.HTTP_ACTIVITIES)
    assert len(set(ocsf.HTTP_METHODS.values())) == len(ocsf.HTTP_METHODS)


def test_unknown_is_always_a_word() -> None:
    """Every enumeration can say that it does not know."""
    for captions in (
        ocsf.STATUSES,
        ocsf.SEVERITIES,
        ocsf.ACTIONS,
        ocsf.DISPOSITIONS,
        ocsf.AI_ROLES,
        ocsf.USER_TYPES,
    ):
        assert captions[ocsf.UNKNOWN] == "Unknown"
    for activities in ocsf.CLASS_ACTIVITIES.values():
        assert activities[ocsf.UNKNOWN] == "Unknown"
        assert activities[ocsf.OTHER] == "Other"
