"""Standing: from metadata alone it is known whether a plugin may be used, and why not."""

from __future__ import annotations

import pytest

from mqd_core.errors import ConfigError
from mqd_core.registry.discovery import UNKNOWN, Found
from mqd_core.registry.kinds import Kind
from mqd_core.registry.requirements import AllowList, missing_requirements
from mqd_core.registry.standing import Status, judge


def found(name: str = "mine", distribution: str = "mqd-plugin-mine", version: str = "1.2", *requires: str) -> Found:
    return Found(Kind.BROKER, name, "mine.plugin", distribution, version, requires)


def status(one: Found, *, core: str = "0.1.0", allow: list[str] | None = None) -> tuple[Status, str]:
    (standing,) = judge([one], core_version=core, allow=AllowList(allow))
    return standing.status, standing.detail


def test_configured_plugins_are_told_from_the_others() -> None:
    """A plugin that the configuration names is configured, another one is ok; the kind must be the same."""
    both = [found("one"), found("two")]

    standings = judge(both, configured={(Kind.BROKER, "two"), (Kind.STORE, "one")})

    assert [standing.status for standing in standings] == [Status.OK, Status.CONFIGURED]
    assert all(standing.status.usable for standing in standings)


@pytest.mark.parametrize("reverse", [False, True])
def test_a_conflict_names_both_distributions_in_any_order(reverse: bool) -> None:
    """Both claimants of a name are in conflict, and each row names both with versions, sorted."""
    claims = [found(distribution="b", version="2"), found("other"), found(distribution="a", version="1")]

    standings = judge(claims[::-1] if reverse else claims, configured={(Kind.BROKER, "mine")})

    conflicts = [standing for standing in standings if standing.found.name == "mine"]
    assert {standing.status for standing in conflicts} == {Status.CONFLICT}
    assert {standing.detail for standing in conflicts} == {"claimed by a 1 and b 2"}


def test_one_distribution_that_claims_a_name_twice_is_in_conflict() -> None:
    """A name with two targets in one distribution is a conflict too, and says so."""
    twice = [found(), Found(Kind.BROKER, "mine", "other.plugin", "mqd-plugin-mine", "1.2")]

    assert [standing.detail for standing in judge(twice)] == ["claimed by mqd-plugin-mine 1.2 more than once"] * 2


def test_the_same_name_in_two_kinds_is_no_conflict() -> None:
    """A broker and a data provider of one name are two plugins."""
    both = [found(), Found(Kind.DATA_PROVIDER, "mine", "mine.plugin", "mqd-plugin-mine", "1.2")]

    assert {standing.status for standing in judge(both)} == {Status.OK}


@pytest.mark.parametrize(
    ("requirement", "core", "expected"),
    [
        ("mqd-core>=2.0,<3", "0.1.0", "needs mqd-core<3,>=2.0, mqd-core 0.1.0 is installed"),
        ("mqd-core<2,>=1.0", "2.0", "needs mqd-core<2,>=1.0, mqd-core 2.0 is installed"),
        ("MQD_Core>=2", "1", "needs mqd-core>=2, mqd-core 1 is installed"),
        ("mqd-core (>=2)", "1", "needs mqd-core>=2, mqd-core 1 is installed"),
        ("mqd-core>=2; python_version < '3'", "1", ""),
        ("mqd-core>=2; python_version >= '3'", "1", "needs mqd-core>=2, mqd-core 1 is installed"),
        ("mqd-core>=2; extra == 'dev'", "1", ""),
        ("mqd-core>=0.1,<1", "0.2.dev3", ""),
        ("mqd-core", "1", ""),
        ("mqd-core-extras>=7", "1", ""),
        ("not a requirement at all !!", "1", ""),
        ("mqd-core >>> 1", "1", "its requirement 'mqd-core >>> 1' cannot be read"),
    ],
)
def test_the_core_it_needs_is_read_from_metadata(requirement: str, core: str, expected: str) -> None:
    """A plugin for another version of the core is incompatible, markers and spelling respected."""
    wanted = Status.INCOMPATIBLE if expected else Status.OK

    assert status(found("mine", "mqd-plugin-mine", "1.2", requirement), core=core) == (wanted, expected)


@pytest.mark.parametrize(
    ("allow", "detail"),
    [
        (None, ""),
        (["mqd-plugin-mine"], ""),
        (["MQD.plugin_mine == 1.2.*"], ""),
        (["mqd-plugin-mine==1.0", "mqd-plugin-mine==1.2"], ""),
        ([], "mqd-plugin-mine is not on the list plugins.allow"),
        (["mine"], "mqd-plugin-mine is not on the list plugins.allow"),
        (["mqd-plugin-mine==1.3.*"], "plugins.allow has mqd-plugin-mine==1.3.*, 1.2 is installed"),
    ],
)
def test_the_allow_list_goes_by_distribution_and_version(allow: list[str] | None, detail: str) -> None:
    """No list allows everything; a list allows what it names, by distribution and version, and blocks the rest."""
    assert status(found(), allow=allow) == (Status.BLOCKED if detail else Status.OK, detail)


def test_an_unreadable_version_meets_no_condition_on_versions() -> None:
    """A version that cannot be compared does not pass an allow list with versions."""
    assert status(found(version="one.two"), allow=["mqd-plugin-mine==1.*"])[0] is Status.BLOCKED


def test_unreadable_entries_of_the_allow_list_are_reported_together() -> None:
    """Every entry that is no distribution is named in one error; each says what is allowed."""
    with pytest.raises(ConfigError) as caught:
        AllowList(["fine", "two words", "x; python_version > '3'", "x[extra]"])

    assert len(caught.value.problems) == 3
    assert caught.value.problems[0] == (
        "plugins.allow: 'two words' is not a distribution, with or without a version: name, or name==1.2.*"
    )


@pytest.mark.parametrize(
    ("broken", "detail"),
    [
        (found(distribution=UNKNOWN), "its metadata has no name or no version: install it again"),
        (found(version=UNKNOWN), "its metadata has no name or no version: install it again"),
        (Found(Kind.BROKER, "mine", "", "d", "1"), "its entry point is not of the form name = module"),
    ],
)
def test_what_cannot_be_attributed_is_not_usable(broken: Found, detail: str) -> None:
    """A plugin whose origin cannot be told is never loaded."""
    assert status(broken) == (Status.INCOMPATIBLE, detail)


def test_a_conflict_is_told_before_other_objections() -> None:
    """Two claimants are in conflict even where one of them is blocked or incompatible: someone must look."""
    claims = [found(distribution="a"), found("mine", "b", "1", "mqd-core>=99")]

    standings = judge(claims, allow=AllowList(["a"]))

    assert {standing.status for standing in standings} == {Status.CONFLICT}


def test_missing_requirements_are_those_that_nothing_installed_meets() -> None:
    """Absent distributions and absent versions are missing; met, conditional and unreadable ones are not."""
    needs = ("pluggy", "pluggy>=9999", "no-such-sdk>=1,<2", "no-such-sdk; extra == 'x'", "?? unreadable")

    assert missing_requirements(found("mine", "d", "1", *needs)) == ("no-such-sdk<2,>=1", "pluggy>=9999")
