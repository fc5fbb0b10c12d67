"""Which writes are planned: few, and in an order in which a scheduler never sees a mixture of two states of a pool."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from hypothesis import given
from hypothesis import strategies as st

from fake_dra_driver.api.kube.meta import UID, ObjectMeta, OwnerReference
from fake_dra_driver.api.resource import v1
from fake_dra_driver.dra.structured.pool import WantedSlice
from fake_dra_driver.dra.structured.slices import Accepted, Plan, plan_pool
from fake_dra_driver.dra.structured.slicespec import at_generation

DRIVER, NODE = "gpu.example.com", "node-0"
OWNER = OwnerReference(api_version="v1", kind="Node", name=NODE, uid=UID("uid-node"), controller=True)

Content = tuple[tuple[str, int], ...]
"""Name and index of each device of a slice."""
State = tuple[Content, ...]
"""What the slices of a pool say."""


def wanted(state: State) -> tuple[WantedSlice, ...]:
    """The slices for a state, of any size."""
    in_pool = v1.ResourcePool(name=NODE, generation=0, resource_slice_count=max(len(state), 1))
    return tuple(
        WantedSlice(
            f"{number:05x}-ours",
            v1.ResourceSliceSpec(driver=DRIVER, pool=in_pool, node_name=NODE, devices=tuple(map(device, content))),
        )
        for number, content in enumerate(state)
    )


def device(named: tuple[str, int]) -> v1.Device:
    name, index = named
    return v1.Device(name=name, attributes={"index": v1.DeviceAttribute(int_value=index)})


@dataclass
class Server:
    """Slices as an API server has them, and as a scheduler sees them."""

    slices: dict[str, v1.ResourceSlice] = field(default_factory=dict)
    seen: list[State] = field(default_factory=list)
    """Each complete state that could be seen, in order."""
    generations: list[int] = field(default_factory=list)

    def existing(self) -> Sequence[v1.ResourceSlice]:
        return [self.slices[name] for name in sorted(self.slices)]

    def put(self, name: str, spec: v1.ResourceSliceSpec, *, is_owned: bool = True) -> None:
        metadata = ObjectMeta(name=name, uid=UID(f"uid-{name}"), owner_references=(OWNER,) if is_owned else ())
        self.slices[name] = v1.ResourceSlice(metadata=metadata, spec=spec)
        self._look()

    def apply(self, plan: Plan, writes: int | None = None) -> int:
        """Makes the first writes of a plan, or all of them. Returns how many it has."""
        todo = [
            *((self._delete, (one.metadata.name,)) for one in plan.deletes),
            *((self.put, (one.before.metadata.name, one.spec)) for one in plan.updates),
            *((self._create, (one.name, one.spec)) for one in plan.creates),
        ]
        for write, arguments in todo[:writes]:
            write(*arguments)  # type: ignore[operator]  # a list of calls of different signatures
        return len(todo)

    def _create(self, name: str, spec: v1.ResourceSliceSpec) -> None:
        assert name not in self.slices, "created though it exists"
        self.put(name, spec)

    def _delete(self, name: str) -> None:
        del self.slices[name]
        self._look()

    def visible(self) -> State | None:
        """What a scheduler can use: the newest generation, if it is complete."""
        newest = max((one.spec.pool.generation for one in self.existing()), default=0)
        counted = [one.spec for one in self.existing() if one.spec.pool.generation == newest]
        if any(spec.pool.resource_slice_count != len(counted) for spec in counted):
            return None
        return tuple(
            tuple((one.name, one.attributes["index"].int_value or 0) for one in spec.devices) for spec in counted
        )

    def _look(self) -> None:
        visible = self.visible()
        if visible is not None:
            names = [name for content in visible for name, _ in content]
            assert len(names) == len(set(names)), "a device twice"
            self.seen.append(visible)
            self.generations.append(max((one.spec.pool.generation for one in self.existing()), default=0))

    def reach(self, state: State, accepted: dict[str, Accepted] | None = None) -> int:
        """Brings the slices in line, and returns how many writes that took."""
        plan = plan_pool(wanted(state), self.existing(), accepted or {}, owner=NODE)
        writes = self.apply(plan)
        assert bool(plan) == (writes > 0)
        assert not plan_pool(wanted(state), self.existing(), accepted or {}, owner=NODE), "one plan has to be enough"
        assert self.visible() == state
        return writes


@st.composite
def states(draw: st.DrawFn) -> State:
    """A pool of up to four slices with up to two devices each, no device twice."""
    sizes = draw(st.lists(st.integers(1, 2), min_size=0, max_size=4))
    # Few names and values, so that states have much in common.
    names = (
        draw(st.permutations([f"dev-{number}" for number in range(8)]).filter(bool)) if draw(st.booleans()) else None
    )
    names = names or [f"dev-{number}" for number in range(8)]
    indexes = draw(st.lists(st.integers(0, 1), min_size=8, max_size=8))
    devices = iter(list(zip(names, indexes, strict=True)))
    return tuple(tuple(next(devices) for _ in range(size)) for size in sizes)


@given(st.lists(states(), min_size=1, max_size=4))
def test_every_state_is_reached_and_nothing_else_is_ever_complete(history: list[State]) -> None:
    server = Server()
    for state in history:
        server.reach(state)
    assert set(server.seen) <= {(), *history}


@given(st.lists(st.tuples(states(), st.integers(0, 6)), min_size=1, max_size=5), states())
def test_a_publication_that_is_interrupted_is_taken_up_or_overtaken(
    history: list[tuple[State, int]], last: State
) -> None:
    server = Server()
    for state, writes in history:
        server.apply(plan_pool(wanted(state), server.existing(), {}, owner=NODE), writes)
    server.reach(last)
    assert set(server.seen) <= {(), last, *(state for state, _ in history)}
    assert server.generations == sorted(server.generations) or () in server.seen, "generations never go back"


@given(states(), states(), st.integers(0, 6))
def test_going_on_after_an_interruption_takes_no_more_writes_than_were_left(
    before: State, after: State, done: int
) -> None:
    server = Server()
    server.reach(before)
    planned = server.apply(plan_pool(wanted(after), server.existing(), {}, owner=NODE), done)
    assert server.reach(after) == max(planned - done, 0)


@given(states())
def test_nothing_is_written_for_what_is_there(state: State) -> None:
    server = Server()
    server.reach(state)
    assert server.reach(state) == 0


@given(states().filter(bool), st.data())
def test_one_slice_that_is_lost_or_edited_is_one_write_in_the_same_generation(
    state: State, data: st.DataObject
) -> None:
    server = Server()
    server.reach(state)
    name = data.draw(st.sampled_from(sorted(server.slices)))
    if data.draw(st.booleans()):
        server._delete(name)
    else:
        spec = server.slices[name].spec
        server.put(name, spec.model_copy(update={"devices": ()}))
    assert server.reach(state) == 1
    assert {one.spec.pool.generation for one in server.existing()} == {1}


@given(states(), states(), st.integers(0, 2**63 - 1), st.integers(1, 4))
def test_slices_of_others_are_removed_whatever_they_say(
    state: State, theirs: State, generation: int, count: int
) -> None:
    server = Server()
    server.reach(state)
    in_pool = v1.ResourcePool(name=NODE, generation=generation, resource_slice_count=count)
    for number, content in enumerate(theirs):
        devices = tuple(map(device, content))
        spec = v1.ResourceSliceSpec(driver=DRIVER, pool=in_pool, node_name=NODE, devices=devices)
        name = f"{number:05x}-{'ours' if number % 2 else 'theirs'}"
        metadata = ObjectMeta(name=name, uid=UID(name))
        server.slices[name] = v1.ResourceSlice(metadata=metadata, spec=spec)
    server.reach(state)
    assert set(server.slices) == {one.name for one in wanted(state)}


def test_a_slice_of_another_pool_or_node_is_replaced_as_it_cannot_be_changed() -> None:
    state: State = ((("dev-0", 0),),)
    server = Server()
    server.reach(state)
    (name,) = server.slices
    spec = server.slices[name].spec
    for fixed in ({"node_name": "node-1"}, {"pool": spec.pool.model_copy(update={"name": "other"})}):
        server.put(name, spec.model_copy(update=fixed))
        assert server.reach(state) == 2


def test_a_slice_that_would_outlive_its_node_is_given_to_it() -> None:
    state: State = ((("dev-0", 0),),)
    server = Server()
    server.reach(state)
    (name,) = server.slices
    server.put(name, server.slices[name].spec, is_owned=False)
    assert server.reach(state) == 1
    assert plan_pool(wanted(state), server.existing(), {}) == Plan()


def test_a_generation_that_leaves_no_room_is_not_continued() -> None:
    state: State = ((("dev-0", 0),), (("dev-1", 0),))
    server = Server()
    server.reach(state)
    for name, there in list(server.slices.items()):
        pool = there.spec.pool.model_copy(update={"generation": 2**63 - 1})
        server.put(name, there.spec.model_copy(update={"pool": pool}))
    server.reach(((("dev-0", 1),), (("dev-1", 1),)))
    assert {one.spec.pool.generation for one in server.existing()} == {1}


def test_what_the_server_has_made_of_a_slice_is_right_until_it_should_say_something_else() -> None:
    state: State = ((("dev-0", 0),),)
    (one,) = wanted(state)
    sent = one.spec.model_copy(update={"devices": (device(("dev-0", 0)).model_copy(update={"binds_to_node": True}),)})
    server = Server()
    server.reach(state)
    accepted = {one.name: Accepted(sent, one.spec)}
    assert plan_pool([WantedSlice(one.name, sent)], server.existing(), accepted, owner=NODE) == Plan()
    assert plan_pool([WantedSlice(one.name, sent)], server.existing(), {}, owner=NODE).updates
    server.put(one.name, one.spec.model_copy(update={"devices": ()}))
    assert plan_pool([WantedSlice(one.name, sent)], server.existing(), accepted, owner=NODE).updates


def test_a_wrong_slice_is_put_right_before_others_complete_its_generation() -> None:
    state: State = ((("dev-0", 0),), (("dev-1", 0),))
    server = Server()
    server.reach(state)
    name = sorted(server.slices)[1]
    wrong = at_generation(server.slices[name].spec, 2).model_copy(update={"devices": (device(("dev-1", 1)),)})
    server.put(name, wrong)
    server.reach(state)
    assert set(server.seen) == {state}
