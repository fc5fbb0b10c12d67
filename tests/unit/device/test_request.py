"""The allocator finds an assignment whenever there is one, and always the same."""

from collections.abc import Sequence
from itertools import combinations

from hypothesis import given
from hypothesis import strategies as st

from fake_dra_driver.device.inventory import Device
from fake_dra_driver.device.request import DeviceRequest, Selector, allocate


def devices(*models: str) -> tuple[Device, ...]:
    return tuple(Device(f"d{number}", model) for number, model in enumerate(models))


def names(chosen: tuple[tuple[Device, ...], ...] | None) -> list[list[str]] | None:
    return None if chosen is None else [[device.uuid for device in part] for part in chosen]


def test_lowest_devices_are_taken_first() -> None:
    assert names(allocate(devices("A", "A", "A"), [DeviceRequest(1), DeviceRequest(1)])) == [["d0"], ["d1"]]


def test_a_request_gives_way_to_one_with_fewer_choices() -> None:
    assert names(allocate(devices("A", "B"), [DeviceRequest(1), DeviceRequest(1, model="A")])) == [["d1"], ["d0"]]


def test_a_whole_chain_of_requests_gives_way() -> None:
    requests = [
        DeviceRequest(1, selectors=(Selector("fake", "A"), Selector("fake", "B"))),
        DeviceRequest(1, selectors=(Selector("fake", "B"), Selector("fake", "C"))),
        DeviceRequest(1, model="B"),
        DeviceRequest(1, model="A"),
    ]
    assert allocate(devices("A", "B", "C"), requests) is None
    assert names(allocate(devices("A", "B", "C", "B"), requests)) == [["d1"], ["d2"], ["d3"], ["d0"]]


def test_asking_for_too_many_devices_is_refused() -> None:
    assert allocate(devices("A", "A"), [DeviceRequest(3)]) is None
    assert allocate(devices("A", "A"), [DeviceRequest(1, model="B")]) is None


def test_an_empty_list_of_requests_is_served() -> None:
    assert allocate((), []) == ()


def test_models_match_exactly_and_selectors_are_case_sensitive_globs() -> None:
    device = Device("d", "LATEST-FAKE-MODEL")
    assert DeviceRequest(1, model="LATEST-FAKE-MODEL").matches(device)
    assert not DeviceRequest(1, model="LATEST-*").matches(device)
    assert DeviceRequest(1, selectors=(Selector("fake", "LATEST-*"),)).matches(device)
    assert not DeviceRequest(1, selectors=(Selector("fake", "latest-*"),)).matches(device)
    assert not DeviceRequest(1, selectors=(Selector("gpu", "*"),)).matches(device)
    assert DeviceRequest(1, selectors=(Selector("gpu", "*"), Selector("f?ke", "*"))).matches(device)
    assert not DeviceRequest(1, model="OTHER", selectors=(Selector("*", "*"),)).matches(device)


def test_glob_that_is_longer_than_any_model_is_not_read() -> None:
    assert Selector("fake", "*" * 253).matches(Device("d0", "A"))
    assert not Selector("fake", "*" * 254).matches(Device("d0", "A"))
    assert not Selector("[" * 900_000, "*").matches(Device("d0", "A"))


def solvable(free: Sequence[Device], requests: Sequence[DeviceRequest]) -> bool:
    """Tries everything."""
    if not requests:
        return True
    first, *rest = requests
    usable = [device for device in free if first.matches(device)]
    return any(
        solvable([device for device in free if device not in chosen], rest)
        for chosen in combinations(usable, first.count)
    )


models = st.sampled_from(["A", "B", "C"])
requests = st.builds(
    DeviceRequest,
    count=st.integers(1, 3),
    model=st.none() | models,
    selectors=st.lists(st.builds(Selector, type=st.just("fake"), name=models | st.just("*")), max_size=2).map(tuple),
)


@given(st.lists(models, max_size=6), st.lists(requests, max_size=4))
def test_an_assignment_is_found_exactly_when_there_is_one(available: list[str], asked: list[DeviceRequest]) -> None:
    free = devices(*available)
    chosen = allocate(free, asked)
    assert (chosen is not None) == solvable(free, asked)
    if chosen is not None:
        flat = [device for part in chosen for device in part]
        assert len(flat) == len(set(flat))
        assert [len(part) for part in chosen] == [request.count for request in asked]
        assert all(request.matches(d) for request, part in zip(asked, chosen, strict=True) for d in part)
        assert allocate(free, asked) == chosen
