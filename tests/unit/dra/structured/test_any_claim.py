"""Claims of any shape: as the schedulers of each release leave them, and as nothing would."""

from collections.abc import Mapping, Sequence
from typing import Any, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from fake_dra_driver.api.fieldproblem import FieldProblem
from fake_dra_driver.api.resource import v1
from fake_dra_driver.api.resource.structured import RESOURCE_APIS
from fake_dra_driver.dra.structured.claims import AllocatedClaim, HoldsNothingError, results_of
from fake_dra_driver.dra.structured.config import (
    Config,
    ConfigError,
    config_for,
    decode,
    entries_of,
)
from fake_dra_driver.dra.structured.configcheck import ConfigCheck
from fake_dra_driver.dra.structured.status import DeviceStatusWriter, status_of
from fake_dra_driver.runtime.client import decode as decode_object
from fake_dra_driver.runtime.errors import InvalidObjectError
from tests.crash.bounds import examples
from tests.unit.dra.structured.lamps import (
    DRIVER,
    KINDS,
    LAMP_VERSION,
    POOL,
    LampParameters,
    claim,
    config,
    from_claim,
    from_class,
    result,
)
from tests.unit.dra.structured.statusserver import StatusServer

Wire = dict[str, Any]
Scheduler = Literal["1.32", "1.33 to 1.36", "1.37"]

# --- As schedulers leave them --------------------------------------------------------------------------------------

CHECK = ConfigCheck(DRIVER, KINDS)
NAMES = ("a", "b", "c")
ALTERNATIVES = ("big", "small")
CLASSES = ("bright", "dim")
REFERENCES = [*NAMES, *(f"{name}/{alternative}" for name in NAMES for alternative in ALTERNATIVES)]

requests = st.tuples(*(st.tuples(st.booleans(), st.sampled_from(CLASSES), st.sampled_from(CLASSES)) for _ in NAMES))
"""For each request: whether it has alternatives, and the class of each of them (the first: of all)."""
chosen = st.tuples(*(st.sampled_from(ALTERNATIVES) for _ in NAMES))
drivers = st.sampled_from([DRIVER, DRIVER, "fans.example.com"])
references = st.lists(st.sampled_from(REFERENCES), unique=True, max_size=4) | st.just(list(NAMES))
# Few values, so that entries are often equal.
entries = st.lists(st.tuples(drivers, st.integers(0, 3), references), max_size=5)
class_entries = st.fixed_dictionaries(
    {name: st.lists(st.tuples(drivers, st.integers(4, 7)), max_size=3) for name in CLASSES}
)


def covers(references: Sequence[str], full_name: str) -> bool:
    return not references or full_name in references or full_name.split("/")[0] in references


@examples(60, 20_000)
@given(
    requests=requests,
    chosen=chosen,
    written=entries,
    of_classes=class_entries,
    scheduler=st.sampled_from(["1.32", "1.33 to 1.36", "1.37"]),
)
def test_a_device_gets_what_was_written_for_it_last(
    requests: Sequence[tuple[bool, str, str]],
    chosen: Sequence[str],
    written: Sequence[tuple[str, int, list[str]]],
    of_classes: Mapping[str, Sequence[tuple[str, int]]],
    scheduler: Scheduler,
) -> None:
    asked: list[Wire] = []
    classes: dict[str, str] = {}
    for name, (has_alternatives, first, second), choice in zip(NAMES, requests, chosen, strict=True):
        if has_alternatives:
            both = zip(ALTERNATIVES, (first, second), strict=True)
            asked.append({"name": name, "firstAvailable": [{"name": n, "deviceClassName": c} for n, c in both]})
            classes[f"{name}/{choice}"] = first if choice == ALTERNATIVES[0] else second
        else:
            asked.append({"name": name, "exactly": {"deviceClassName": first}})
            classes[name] = first
    spec_entries = [config(*references, driver=driver, brightness=value) for driver, value, references in written]
    # 1.32 copies a class once for each request, and leaves out which one it is for.
    is_for_all = scheduler == "1.32"
    copied = [
        from_class(config(driver=driver, brightness=value), *(full for full in classes if classes[full] == name))
        if not is_for_all
        else from_class(config(driver=driver, brightness=value))
        for name in (classes.values() if is_for_all else dict.fromkeys(classes.values()))
        for driver, value in of_classes[name]
    ]
    for (_, _, references), entry in zip(written, spec_entries, strict=True):
        matching = [full for full in classes if covers(references, full)]
        if scheduler == "1.37" and references and len(matching) == len(classes):
            copied.append(from_claim({"opaque": entry["opaque"], "requests": []}))
        else:
            is_repeated = scheduler == "1.33 to 1.36" and references
            copied += [from_claim(entry)] * (len(matching) if is_repeated else min(1, len(matching)))
    results = [result(f"lamp-{number}", full) for number, full in enumerate(classes)]
    found = claim(*results, requests=asked, written=spec_entries, copied=copied)

    configs = decode(entries_of(found, DRIVER), KINDS)
    for full, device_class in classes.items():
        is_known = not is_for_all or len(set(classes.values())) == 1
        of_class = [
            (f"DeviceClass {name}: spec.config[{index}]" if is_known else "", value)
            for name in (classes.values() if is_for_all else [device_class])
            for index, (driver, value) in enumerate(of_classes[name])
            if driver == DRIVER
        ]
        of_claim = [
            (f"spec.devices.config[{index}]", value)
            for index, (driver, value, references) in enumerate(written)
            if driver == DRIVER and covers(references, full)
        ]
        applying = config_for(full, configs)
        expected = [*of_class, *of_claim][-1:]
        assert brightness(applying) == (expected[0][1] if expected else None)
        if applying is not None:
            path = applying.path.removesuffix(".opaque.parameters")
            # Of equal entries either may be named.
            written_at = [where for where, value in (*of_class, *of_claim) if value == expected[0][1]]
            assert path in written_at or (not is_known and path.startswith("status.allocation.devices.config["))


def brightness(found: Config | None) -> int | None:
    if found is None:
        return None
    assert isinstance(found.parameters, LampParameters)
    return found.parameters.spec.brightness


# --- Garbage -------------------------------------------------------------------------------------------------------

FIELDS = [
    *("spec", "status", "devices", "config", "opaque", "driver", "parameters", "requests", "name", "exactly", "source"),
    *("firstAvailable", "deviceClassName", "allocation", "results", "request", "pool", "device", "shareID", "kind"),
    *("apiVersion", "brightness", "shades", "colorName", "isDimmed", "conditions", "type", "data", "nodeSelector"),
]
TEXTS = ["", "a", "a/big", "FromClass", "FromClaim", DRIVER, POOL, LAMP_VERSION, "LampParameters", "lamp-0", "\ud800"]
SCALARS = st.one_of(st.none(), st.booleans(), st.integers(-1, 1 << 70), st.floats(), st.sampled_from(TEXTS))
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(st.sampled_from(FIELDS), inner, max_size=5)),
    max_leaves=8,
)
OPAQUE = st.one_of(
    VALUES,
    st.fixed_dictionaries({"driver": st.sampled_from(TEXTS), "parameters": VALUES}),
    st.fixed_dictionaries({"driver": st.just(DRIVER), "parameters": VALUES}),
    st.fixed_dictionaries(
        {
            "driver": st.just(DRIVER),
            "parameters": st.fixed_dictionaries(
                {"apiVersion": st.just(LAMP_VERSION), "kind": st.just("LampParameters"), "spec": VALUES}
            ),
        }
    ),
)
CONFIGS = st.lists(
    st.fixed_dictionaries({"opaque": OPAQUE}, optional={"requests": VALUES, "source": st.sampled_from(TEXTS) | VALUES}),
    max_size=3,
)
RESULTS = st.lists(
    st.fixed_dictionaries({name: st.sampled_from(TEXTS) | VALUES for name in ("request", "driver", "pool", "device")}),
    max_size=3,
)
CLAIMS = st.fixed_dictionaries(
    {"metadata": st.just({"namespace": "default", "name": "claim", "uid": "uid-1"})},
    optional={
        "spec": VALUES
        | st.fixed_dictionaries({"devices": st.fixed_dictionaries({"config": CONFIGS, "requests": VALUES})}),
        "status": VALUES
        | st.fixed_dictionaries(
            {
                "allocation": st.fixed_dictionaries(
                    {"devices": st.fixed_dictionaries({"results": RESULTS, "config": CONFIGS})}
                ),
                "devices": VALUES,
            }
        ),
    },
)


def check_words(text: str) -> None:
    assert text.startswith("claim default/claim (uid-1) ")


def check(problems: Sequence[FieldProblem]) -> None:
    """Each says where, and in our words."""
    for problem in problems:
        assert ".opaque.parameters" in problem.path
        assert problem.message
        assert "Input should" not in problem.message


@pytest.mark.parametrize("version", RESOURCE_APIS)
def test_any_claim_is_read_or_refused(version: str) -> None:
    kinds = RESOURCE_APIS[version]

    @examples(60, 20_000)
    @given(raw=CLAIMS)
    def read(raw: Wire) -> None:
        try:
            found = decode_object(kinds.claims, raw)
        except InvalidObjectError:
            return
        check(CHECK.spec_problems(found.spec))
        try:
            held = AllocatedClaim.of(found, DRIVER, POOL)
        except HoldsNothingError as error:
            check_words(str(error))
            return
        assert all((each.driver, each.pool) == (DRIVER, POOL) for each in held.results)
        try:
            configs = decode(held.config, KINDS)
        except ConfigError as error:
            check(error.problems)
            return
        for each in held.results:
            config_for(each.request, configs)

    read()


@examples(60, 20_000)
@given(configs=CONFIGS)
def test_any_class_is_checked_or_refused(configs: Sequence[Wire]) -> None:
    try:
        spec = v1.DeviceClassSpec.model_validate({"config": configs})
    except ValidationError:
        return
    check(CHECK.class_problems(v1.DeviceClass(spec=spec)))


@examples(60, 20_000)
@given(devices=st.lists(VALUES | st.fixed_dictionaries({"driver": st.just(DRIVER), "pool": VALUES, "device": VALUES})))
async def test_a_report_is_made_whatever_a_claim_says_about_its_devices(devices: Sequence[Any]) -> None:
    raw = {**claim(result("lamp-0")).to_wire()}
    raw["status"]["devices"] = devices
    try:
        found = v1.ResourceClaim.from_wire(raw)
    except ValidationError:
        return
    server = StatusServer()
    server.put(claim(result("lamp-0")))
    writer = DeviceStatusWriter(server, RESOURCE_APIS["v1"], DRIVER, POOL, pytest.fail)
    writer.report(found, [status_of(each) for each in results_of(found, DRIVER)])
    await writer.reconcile(found.key)
    writer.controller.stop()


good_shades = st.lists(st.fixed_dictionaries({"colorName": st.text(min_size=1, max_size=8)}), max_size=3)
good = st.fixed_dictionaries(
    {}, optional={"brightness": st.integers(0, 7), "isDimmed": st.booleans(), "shades": good_shades}
)


@given(spec=good)
def test_parameters_that_keep_the_rules_are_read_as_they_are(spec: Wire) -> None:
    [found] = decode(entries_of(claim(result("lamp-0"), written=[config(**spec)]), DRIVER), KINDS)
    read = found.parameters.model_dump(mode="json", by_alias=True, exclude_unset=True)
    assert read == {"spec": spec}
