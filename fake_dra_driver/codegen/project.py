"""Everything that the project of a DRA driver ships, from what it says about the driver.

A project says its names, its kinds (``api.schema``), the settings of its commands (``settings``) and what its
components may do (``ComponentRules``). Out of that come the CRDs, a Helm chart with which the driver runs in clusters
of classic and of structured DRA, and a page of reference. ``driverchart`` says what is in the chart.
"""

import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, Final

import yaml
from pydantic import BaseModel, ValidationError

from fake_dra_driver.api.schema import CustomResource
from fake_dra_driver.codegen.chart import Manifest, render_chart
from fake_dra_driver.codegen.crd import file_name
from fake_dra_driver.codegen.crdtext import render_crd
from fake_dra_driver.codegen.documentation import command_page, kind_page
from fake_dra_driver.codegen.driverchart import driver_chart, driver_values
from fake_dra_driver.codegen.files import SourceTree
from fake_dra_driver.codegen.guard import Guard
from fake_dra_driver.codegen.rbac import ComponentRules, Rule
from fake_dra_driver.codegen.values import values_of
from fake_dra_driver.render import render
from fake_dra_driver.settings import SUBDOMAIN_PATTERN, Settings, settings_of

__all__ = ["PerRelease", "Project", "ProjectError", "StatusReader"]

_CHART_NAME: Final = r"[a-z]([a-z0-9-]{0,51}[a-z0-9])?"
_VERSION: Final = r"\d+\.\d+\.\d+(-[0-9A-Za-z.-]+)?(\+[0-9A-Za-z.-]+)?"
_MAX_DRIVER_NAME: Final = 63
"""As the kubelet and the API server have it."""

_STOPPING: Final = ("grace_period_seconds", "metrics_path")
_IN_CHART: Final[Mapping[str, Sequence[str]]] = {
    "controller": (
        *_STOPPING,
        "leader_elect",
        "leader_elect_lease_duration_seconds",
        "leader_elect_renew_deadline_seconds",
        "leader_elect_retry_period_seconds",
    ),
    "kubelet-plugin": (*_STOPPING, "kubelet_registry_dir", "kubelet_plugins_dir", "cdi_root"),
    "webhook": _STOPPING,
}
"""Settings that people give as values of the chart, and that its templates look at."""
_SERVING: Final = ("http_endpoint", "logging_format", "verbosity")
_BY_CHART: Final[Mapping[str, Sequence[str]]] = {
    "controller": (*_SERVING, "namespace", "resource_api_version"),
    "kubelet-plugin": (*_SERVING, "namespace", "node_name", "pod_uid", "resource_api_version"),
    "set-nas-status": ("namespace", "node_name", "status"),
    "webhook": (*_SERVING, "listen", "tls_cert_file", "tls_key_file"),
}
"""Settings that the chart itself gives to the pods."""
_COMPONENTS: Final[Mapping[str, str]] = {"controller": "controller", "kubeletplugin": "kubeletPlugin"}
"""What has a ServiceAccount of its own: its name, and its key in the values."""
_WEBHOOK: Final[Mapping[str, str]] = {"webhook": "webhook"}
"""What has one where it has permissions."""


class ProjectError(Exception):
    """A project says what no chart can be made of. The message names the argument and what would do."""


@dataclass(frozen=True, slots=True)
class StatusReader:
    """The permission to look at the driver, which the chart can make for people."""

    command: str
    """What they run, such as ``fake-dra-driver status``."""
    rules: tuple[Rule, ...]
    """What that reads."""


@dataclass(frozen=True, slots=True)
class PerRelease:
    """What each release of a chart says itself, for a driver that runs under several names in one cluster.

    The chart has the values driverName, deviceClasses and deviceProfiles then.
    """

    stand_in: str
    """What ``rbac`` and ``guards`` of the project call the driver: the name of a driver that there is not, in whose
    place the chart has the value driverName."""
    profiles: type[CustomResource]
    """The kind of deviceProfiles, which says in ``spec`` which devices there are, and in ``spec.driverName`` whose."""


@dataclass(frozen=True, kw_only=True)
class Project:
    """What a project says about its driver; the properties are what it ships.

    Raises:
        ProjectError: an argument is not allowed, or the settings of a command lack what the chart needs.
    """

    name: str
    """Of the chart, and unless said otherwise of image and program: lower-case letters, digits and dashes."""
    driver_name: str
    """Of the DRA driver: a DNS subdomain of at most 63 characters, such as ``lamp.example.com``."""
    description: str
    """One sentence about the driver, for those who look for a chart."""
    version: str
    """Of the chart, as semantic versioning has it; with a ``v`` before it also the image's tag."""
    commands: Mapping[str, type[Settings]]
    """The settings of each command by its name, in the order of the reference. ``controller``, ``kubelet-plugin`` and
    ``set-nas-status`` have to be there, since the chart runs them; ``webhook`` may be, and others."""
    kinds: tuple[type[CustomResource], ...]
    """The driver's own kinds, each of which gets a CRD."""
    records: type[CustomResource]
    """The one in which the driver records what each node has: its NodeAllocationState."""
    rbac: tuple[ComponentRules, ...]
    """What ``controller`` and ``kubeletplugin`` may do, in this order, and then ``webhook`` if it may anything."""
    guards: tuple[Guard, ...] = ()
    """What the API server refuses them all the same."""
    parameters: type[CustomResource] | None = None
    """The kind that claims are configured with; None: they cannot be."""
    per_release: PerRelease | None = None
    """What differs between releases of the chart; None: all are of the driver ``driver_name``."""
    class_name: str = ""
    """Of the ResourceClass and of the DeviceClass; empty: the driver's name."""
    image: str = ""
    """Name of the image, without registry and tag; empty: ``name``."""
    namespace: str = ""
    """What messages propose as the namespace to install in; empty: ``name``."""
    program: tuple[str, ...] = ()
    """How a pod calls the program, before the name of a command; empty: ``name``."""
    entry_points: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """How it calls single commands, where that is different."""
    values: Mapping[str, Any] = field(default_factory=dict)
    """Defaults of the chart's values that differ from the usual ones, as in a file of values."""
    status: StatusReader | None = None
    """Whom the chart can give the permission to read."""
    alerts: str = ""
    """Rules for Prometheus (a rule file), which the chart can install; empty: there are none."""
    dashboard: str = ""
    """A dashboard of Grafana (JSON), which the chart can install; empty: there is none."""
    monitoring_page: str = ""
    """The page that says more about metrics, for the chart's values to name."""
    chart_folder: str = ""
    """Where the chart is in the source tree; empty: ``deployments/helm/<name>``."""
    remedy: str = ""
    """What brings generated files up to date, for messages; empty: ``<program> generate``."""

    def __post_init__(self) -> None:
        # Values are looked at with the settings, so after these.
        for find in (self._problems, self._problems_of_values):
            if problems := list(find()):
                raise ProjectError(f"Project {self.name!r}: {'; '.join(problems)}")

    # --- What it ships ---

    @cached_property
    def files(self) -> Mapping[str, str]:
        """Every generated file: its path in the source tree, and its text. Raises SchemaError and ProjectError."""
        return dict(sorted({**self.crd_files, **self.chart_files, "docs/reference.md": self.reference}.items()))

    @cached_property
    def crd_files(self) -> Mapping[str, str]:
        """The CRDs for kubectl, by path in the source tree. Raises SchemaError."""
        return {f"crds/{name}": text for name, text in self._crds}

    @cached_property
    def chart_files(self) -> Mapping[str, str]:
        """The files of the chart, by path in the source tree. Raises SchemaError and ProjectError."""
        found = {**{f"crds/{name}": text for name, text in self._crds}, **dict(driver_chart(self))}
        return {f"{self.chart}/{path}": text for path, text in found.items()}

    @cached_property
    def reference(self) -> str:
        """A page of reference as Markdown: commands and settings, values, kinds, permissions. Raises SchemaError."""
        sources = ", ".join(dict.fromkeys(map(_source, self.kinds)))
        foreign = [model.foreign_flags for model in self.commands.values() if model.foreign_flags.reasons]
        text = render(
            "docs/reference.md.j2",
            header=self.tree.header(f"{sources} and the settings of each command"),
            program=" ".join(self.program or (self.name,)),
            commands=[command_page(name, model) for name, model in self.commands.items()],
            entry_points={name: " ".join(words) for name, words in self.entry_points.items()},
            foreign=foreign[0] if foreign else None,
            values=[leaf for value in values_of(self.values_model, self.values) for leaf in value.leaves()],
            kinds=[kind_page(kind) for kind in self.kinds],
            components=self.rbac,
            guards=self.guards,
        )
        return text if self.per_release is None else text.replace(self.per_release.stand_in, self.driver_name)

    @cached_property
    def values_model(self) -> type[BaseModel]:
        """The model of the chart's values."""
        return driver_values(self)

    @property
    def chart(self) -> str:
        """The chart's folder in the source tree."""
        return self.chart_folder or f"deployments/helm/{self.name}"

    @property
    def tree(self) -> SourceTree:
        """Where the files are, and what they say of their origin."""
        command = f"{' '.join(self.program or (self.name,))} generate"
        return SourceTree(command, ("crds", self.chart, "docs"), remedy=self.remedy or command)

    def generate(self, root: Path, *, check: bool = False) -> int:
        """Writes what is not up to date, or only says so. Returns the exit status.

        Args:
            root: of the source tree.
            check: write nothing; the status is 1 where a file is not up to date.

        Raises:
            SchemaError: a kind cannot be a CRD.
            ProjectError: the values cannot be.
        """
        return self.tree.update(root, self.files, check=check)

    def crd_manifests(self) -> Sequence[Manifest]:
        """The CRDs as objects. Raises SchemaError."""
        return [yaml.safe_load(text) for _, text in sorted(self.crd_files.items())]

    def manifests(
        self,
        namespace: str,
        *,
        release: str = "",
        values: Mapping[str, Any] | None = None,
        kube_version: str = "1.30",
        api_versions: Sequence[str] = (),
    ) -> Sequence[Manifest]:
        """The objects of the chart, without its CRDs, as ``render_chart`` gives them; the release has the chart's name.

        Raises:
            GoTemplateError: the chart refuses these values.
        """
        files = {path.removeprefix(f"{self.chart}/"): text for path, text in sorted(self.chart_files.items())}
        return render_chart(
            files,
            namespace,
            release=release or self.name,
            values=values,
            kube_version=kube_version,
            api_versions=api_versions,
        )

    def argv(self, command: str) -> tuple[str, ...]:
        """How a pod calls a command."""
        return self.entry_points.get(command) or (*(self.program or (self.name,)), command)

    @property
    def _crds(self) -> Iterator[tuple[str, str]]:
        for kind in self.kinds:
            yield file_name(kind), render_crd(kind, self.tree.header(_source(kind)))

    # --- What it may say ---

    def _problems(self) -> Iterator[str]:
        if not re.fullmatch(_CHART_NAME, self.name):
            yield "name has to be one of a chart: up to 53 lower-case letters, digits and dashes, a letter first"
        if not re.fullmatch(SUBDOMAIN_PATTERN, self.driver_name) or len(self.driver_name) > _MAX_DRIVER_NAME:
            yield (
                f"driver_name {self.driver_name!r} has to be a DNS subdomain of at most {_MAX_DRIVER_NAME} characters, "
                "such as lamp.example.com"
            )
        if self.class_name and not re.fullmatch(SUBDOMAIN_PATTERN, self.class_name):
            yield f"class_name {self.class_name!r} has to be a DNS subdomain, such as lamp.example.com"
        if not re.fullmatch(_VERSION, self.version):
            yield f"version {self.version!r} has to be a semantic version, such as 0.1.0"
        yield from self._problems_of_kinds()
        yield from self._problems_of_commands()
        yield from self._problems_of_permissions()

    def _problems_of_values(self) -> Iterator[str]:
        try:
            values_of(self.values_model, self.values)
        except ValidationError as error:
            found = error.errors()[0]
            words = "there is no such value" if found["type"] == "extra_forbidden" else found["msg"]
            yield f"values: {'.'.join(map(str, found['loc']))}: {words}"

    def _problems_of_kinds(self) -> Iterator[str]:
        names = [file_name(kind) for kind in self.kinds]
        for kind, name in zip(self.kinds, names, strict=True):
            if names.count(name) > 1:
                yield f"kinds: {kind.__name__} is not the only kind with the group and the plural {kind.resource}"
        for argument, named in self._named_kinds():
            if named is not None and named not in self.kinds:
                yield f"{argument}: {named.__name__} is not one of kinds"

    def _named_kinds(self) -> Iterator[tuple[str, type[CustomResource] | None]]:
        yield "records", self.records
        yield "parameters", self.parameters
        if self.per_release is not None:
            yield "per_release.profiles", self.per_release.profiles

    def _problems_of_commands(self) -> Iterator[str]:
        for command in ("controller", "kubelet-plugin", "set-nas-status"):
            if command not in self.commands:
                yield f"commands: the chart runs {command}, of which there are no settings"
                return
        prefixes = {model.prefix for model in self.commands.values()}
        if len(prefixes) > 1:
            found = ", ".join(sorted(prefixes))
            yield f"commands: their variables have to begin with the same prefix, not with {found}"
        for command, model in self.commands.items():
            yield from (f"commands: {problem}" for problem in _problems_of_command(command, model))
            if self.per_release is not None and command in _BY_CHART and "driver_name" not in model.model_fields:
                yield f"commands: {model.__name__} of {command} lacks the setting driver_name"

    def _problems_of_permissions(self) -> Iterator[str]:
        found = {component.name: component.values_key for component in self.rbac}
        if found not in (_COMPONENTS, {**_COMPONENTS, **_WEBHOOK}):
            yield (
                f"rbac has to have these components, with these keys in the values: {dict(_COMPONENTS)}, "
                f"and may have {dict(_WEBHOOK)}"
            )
        elif len(found) > len(_COMPONENTS) and "webhook" not in self.commands:
            yield "rbac: there is no command webhook"
        for guard in self.guards:
            if guard.component not in found:
                yield f"guards: {guard.name} is about {guard.component}, which is no component of rbac"


def _problems_of_command(command: str, model: type[Settings]) -> Iterator[str]:
    settings = {setting.name: setting for setting in settings_of(model)}
    about = f"{model.__name__} of {command}"
    for name in _IN_CHART.get(command, ()):
        if name not in settings or not settings[name].info.in_chart:
            yield f"{about} lacks the setting {name}, with in_chart"
    for name in _BY_CHART.get(command, ()):
        if name not in settings:
            yield f"{about} lacks the setting {name}"
    if command in _IN_CHART:
        for name, setting in settings.items():
            if setting.info.in_chart and setting.default is None:
                yield f"{about}: {name} has no default, and the chart could not set it: write one, or in_chart=False"


def _source(kind: type[CustomResource]) -> str:
    """The file that a kind is written down in, as the first line of what is generated says it."""
    module = sys.modules[kind.__module__]
    name = kind.__module__ if kind.__module__ != "__main__" else getattr(module.__spec__, "name", "__main__")
    file = Path(module.__file__ or "")
    if name == "__main__":
        return file.name
    folder = name.replace(".", "/")
    return f"{folder}/__init__.py" if file.name == "__init__.py" else f"{folder}.py"
