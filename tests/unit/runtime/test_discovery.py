"""Which versions of a group are served, and waiting until the right ones are."""

import asyncio
from typing import Any

import pytest

from fake_dra_driver.cluster.apiserver import ApiServer
from fake_dra_driver.runtime.backoff import Backoff
from fake_dra_driver.runtime.client import Client
from fake_dra_driver.runtime.discovery import ServedGroup
from fake_dra_driver.runtime.errors import ForbiddenError, RuntimeLayerError, TransportError, UnusableAnswerError
from fake_dra_driver.runtime.session import Session
from tests.support.scripted import Answer, ScriptedTransport, Tokens, api_group, ok, status

pytestmark = pytest.mark.looptime

NAME = "resource.k8s.io"


def client_of(*answers: Answer) -> Client:
    return Client(Session(ScriptedTransport(*answers), Tokens("token"), user_agent="test"))


def group(*versions: str) -> Any:
    return api_group(NAME, *versions)


NONSENSE: tuple[Any, ...] = (
    1,
    "text",
    {"version": "v1"},
    [1],
    [None],
    ["v1"],
    [{}],
    [{"version": 1}],
    [{"version": ["v1"]}],
    None,
)


async def test_the_versions_of_a_group_are_those_that_are_served() -> None:
    discovery = ApiServer().client("test").discovery
    assert await discovery.group(NAME) == ServedGroup(NAME, ("v1alpha2",))
    assert (await discovery.group("apps")).versions == ("v1",)


async def test_a_group_that_is_not_served_has_no_versions() -> None:
    found = await ApiServer().client("test").discovery.group("nothing.example.com")
    assert found == ServedGroup("nothing.example.com")
    assert found.first_of("v1") is None


async def test_the_kinds_of_a_version_are_those_that_are_served() -> None:
    discovery = ApiServer().client("test").discovery
    assert {"deployments", "daemonsets"} <= await discovery.resources("apps", "v1")
    assert await discovery.resources("apps", "v2") == frozenset()


@pytest.mark.parametrize("entries", [None, 1, {}, [1], [None], [{}], [{"name": 1}]])
async def test_nonsense_among_the_kinds_of_a_version_is_passed_over(entries: Any) -> None:
    client = client_of(ok(kind="APIResourceList", resources=entries))
    assert await client.discovery.resources("apps", "v1") == frozenset()


async def test_the_api_server_says_of_which_release_it_is() -> None:
    assert (await ApiServer().client("test").discovery.server_version()).startswith("v1.30.")


@pytest.mark.parametrize("answer", [{}, {"gitVersion": 1}, {"gitVersion": None}])
async def test_an_answer_without_a_release_is_an_error(answer: dict[str, Any]) -> None:
    with pytest.raises(UnusableAnswerError, match="the answer has no gitVersion"):
        await client_of(ok(**answer)).discovery.server_version()


def test_a_caller_says_which_version_it_prefers() -> None:
    served = ServedGroup(NAME, ("v1", "v1beta2", "v1alpha3"))
    assert served.first_of("v1beta2", "v1") == "v1beta2"
    assert served.first_of("v1beta1", "v1alpha3") == "v1alpha3"
    assert served.first_of("v1beta1") is None
    assert served.first_of() is None


@pytest.mark.parametrize(
    ("answer", "error", "text"),
    [
        (status(403, "Forbidden"), ForbiddenError, "get apigroups.v1 resource.k8s.io: 403 Forbidden"),
        (ConnectionError("refused"), TransportError, "get apigroups.v1 resource.k8s.io: refused"),
        *(
            (answer, UnusableAnswerError, "get apigroups.v1 resource.k8s.io: the answer is not this APIGroup")
            for answer in (
                ok(),
                ok(kind="Status", apiVersion="v1"),
                api_group("apps", "v1"),
                api_group(NAME),
                *(ok(kind="APIGroup", apiVersion="v1", name=NAME, versions=nonsense) for nonsense in NONSENSE),
            )
        ),
    ],
)
async def test_what_cannot_be_asked_is_an_error(answer: Answer, error: type[RuntimeLayerError], text: str) -> None:
    with pytest.raises(error, match=f"^{text}"):
        await client_of(answer).discovery.group(NAME)


async def test_it_is_asked_again_until_it_is_enough_and_each_time_in_vain_is_reported() -> None:
    client = client_of(ConnectionError("refused"), status(404), group("v1alpha3"), group("v1", "v1alpha3"))
    reported: list[ServedGroup | str] = []
    begun = asyncio.get_running_loop().time()
    found = await client.discovery.wait_for_group(
        NAME,
        lambda served: served.first_of("v1", "v1beta1") is not None,
        report=lambda found: reported.append(found if isinstance(found, ServedGroup) else type(found).__name__),
        backoff=Backoff(1, 100, jitter=0),
    )
    assert found == ServedGroup(NAME, ("v1", "v1alpha3"))
    assert reported == ["TransportError", ServedGroup(NAME), ServedGroup(NAME, ("v1alpha3",))]
    assert asyncio.get_running_loop().time() - begun == 1 + 2 + 4
