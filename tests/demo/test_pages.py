"""README and the pages in docs: links lead somewhere, and what they show as YAML is what Kubernetes takes."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from fake_dra_driver.api.devicefault import DeviceFault
from fake_dra_driver.api.deviceprofile import DeviceProfile
from fake_dra_driver.api.fake import DRIVER_NAME, DeviceClassParameters, FakeClaimConfig, FakeClaimParameters
from fake_dra_driver.driver.profile.checking import profile_problems
from fake_dra_driver.packaging.manifests import chart_manifests
from tests.support.apiserver import ApiServer

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", ROOT / "SECURITY.md", *sorted((ROOT / "docs").glob("*.md"))]
PARAMETERS = {kind.resource.kind: kind for kind in (FakeClaimParameters, DeviceClassParameters)}


def blocks(page: Path) -> Iterator[str]:
    """The objects that a page shows as YAML."""
    for text in re.findall(r"^```yaml[^\n]*\n(.*?)^```$", page.read_text(), re.MULTILINE | re.DOTALL):
        if text.startswith("apiVersion:"):
            yield from text.split("---\n")


def anchors(page: Path) -> set[str]:
    """What a link to a heading of a page may say, as GitHub makes it."""
    text = re.sub(r"^```.*?^```$", "", page.read_text(), flags=re.MULTILINE | re.DOTALL)
    headings = re.findall(r"^#+ (.*)$", text, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def test_the_first_page_is_short() -> None:
    assert len((ROOT / "README.md").read_text().splitlines()) <= 250


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_links_lead_somewhere(page: Path) -> None:
    text = re.sub(r"`[^`\n]*`", "", page.read_text())  # a pattern in code may look like a link
    for target in re.findall(r"\]\(([^)\s]+)\)", text):
        if "://" in target:
            continue
        path, _, anchor = target.partition("#")
        other = page.parent / path if path else page
        assert other.exists(), target
        assert not anchor or anchor in anchors(other), target


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_parameters_have_no_field_that_does_not_exist(page: Path) -> None:
    for text in blocks(page):
        shown = yaml.safe_load(text)
        if kind := PARAMETERS.get(shown["kind"]):
            kind.model_validate({"metadata": shown["metadata"], "spec": shown["spec"]}, extra="forbid")
        for parameters in opaque_parameters(shown):
            assert FakeClaimConfig.model_validate(parameters, extra="forbid").spec.split == 2


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_profiles_and_faults_can_be_used(page: Path) -> None:
    for text in blocks(page):
        shown = yaml.safe_load(text)
        if shown["kind"] == "DeviceFault":
            DeviceFault.model_validate(_without_kind(shown), extra="forbid")
        if shown["kind"] == "DeviceProfile":
            profile = DeviceProfile.model_validate(_without_kind(shown), extra="forbid")
            assert not profile_problems(profile)


def _without_kind(shown: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in shown.items() if name not in ("apiVersion", "kind")}


def test_parts_of_profiles_can_be_used_in_one() -> None:
    page = (ROOT / "docs/mock-your-hardware.md").read_text()
    found = [yaml.safe_load(text) for text in re.findall(r"^```yaml\n(.*?)^```$", page, re.MULTILINE | re.DOTALL)]
    specs = [each for each in found if "deviceProfiles" not in each]
    assert len(specs) == 4
    for spec in specs:
        card = {
            "name": "card",
            "type": "card",
            **({"environment": spec.pop("environment")} if "environment" in spec else {}),
        }
        groups = [card, {"name": "part", "type": "part"}]
        profile = DeviceProfile.model_validate(
            {"metadata": {"name": "a"}, "spec": {"groups": groups, **spec}}, extra="forbid"
        )
        assert not profile_problems(profile)
    (values,) = [each for each in found if "deviceProfiles" in each]
    kinds = [manifest["kind"] for manifest in chart_manifests("mock-cards", values=values, kube_version="1.37")]
    assert {"DeviceProfile", "DeviceClass"} <= {*kinds}


def opaque_parameters(value: Any) -> Iterator[Any]:
    """This driver's parameters in each ``opaque`` below a value, without apiVersion and kind."""
    if isinstance(value, dict):
        if "opaque" in value and value["opaque"]["driver"] == DRIVER_NAME:
            yield {"spec": value["opaque"]["parameters"]["spec"]}
        value = list(value.values())
    if isinstance(value, list):
        for member in value:
            yield from opaque_parameters(member)


@pytest.mark.apiserver(structured=True)
@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_a_real_api_server_takes_the_objects(page: Path, apiserver: ApiServer, namespace: str) -> None:
    for text in blocks(page):
        if text.startswith("apiVersion: resource.k8s.io/v1\n") and apiserver.minor >= 34:
            arguments = ("create", f"--namespace={namespace}", "--dry-run=server", "--validate=strict", "--filename=-")
            assert apiserver.kubectl(*arguments, stdin=text).endswith(" created (server dry run)\n")
