"""The sub-commands ``profile check`` and ``profile render``: from a file to standard output."""

import shutil
import sys
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from fake_dra_driver.dra.structured import PoolError
from fake_dra_driver.driver.profile.rendering import ProfileError
from fake_dra_driver.profile.node import RenderedNode, rendered_node
from fake_dra_driver.profile.report import number_of, table_of, yaml_of
from fake_dra_driver.profile.settings import STANDARD_INPUT, ProfileCheckSettings, ProfileRenderSettings
from fake_dra_driver.profile.source import ProfileSource, read_profiles
from fake_dra_driver.tablelayout import Layout
from fake_dra_driver.untrustedtext import one_line

__all__ = ["run_check", "run_render"]

_SAMPLE_NODE: Final = "node-0"
_NEWEST: Final = 37
"""Release of Kubernetes for which a profile is checked."""


def run_check(settings: ProfileCheckSettings) -> int:
    """Prints what is wrong with each profile, or how many devices it gives a node. Returns the exit status."""
    sources, failed = _profiles(settings.file)
    for source in sources:
        rendered, problems = _rendered(source, _SAMPLE_NODE, _NEWEST)
        if rendered is not None:
            # What shows only when containers get something of it.
            problems = [
                f"{view.problem} (a claim with {view.device.name})" for view in rendered.containers if view.problem
            ]
        for problem in problems:
            failed = True
            _print(f"{source.title}: {problem}")
        if rendered is not None and not problems:
            _print(f"{source.title}: valid, {_summary(rendered)}")
    return 1 if failed else 0


def run_render(settings: ProfileRenderSettings) -> int:
    """Prints what a node gets of each profile. Returns the exit status."""
    sources, failed = _profiles(settings.file)
    chosen = [source for source in sources if settings.name in ("", source.name)]
    if sources and not chosen:
        names = ", ".join(source.name for source in sources)
        sys.stderr.write(
            f"{one_line(settings.file)} has no profile {one_line(settings.name)}, only {one_line(names)}\n"
        )
        return 1
    for number, source in enumerate(chosen):
        rendered, problems = _rendered(source, settings.node, settings.minor)
        for problem in problems:
            failed = True
            sys.stderr.write(f"{one_line(f'{source.title}: {problem}')}\n")
        if rendered is not None:
            separator = "\n" if number and settings.output == "table" else ""
            sys.stdout.write(separator + _text(rendered, settings))
    return 1 if failed else 0


def _profiles(name: str) -> tuple[Sequence[ProfileSource], bool]:
    """The profiles of a file, and whether there are none, which is told."""
    content = sys.stdin.buffer.read() if name == STANDARD_INPUT else Path(name).read_bytes()
    try:
        found = read_profiles(content.decode("utf-8-sig"))
    except UnicodeDecodeError as error:
        sys.stderr.write(f"{one_line(name)} is not UTF-8: {error.reason} at byte {error.start}\n")
        return (), True
    if not found.sources:
        has = f"{', '.join(found.other_kinds)} and " if found.other_kinds else ""
        told = f"{name} has {has}no DeviceProfile, nor deviceProfiles as values of the chart have"
        sys.stderr.write(f"{one_line(told)}\n")
    return found.sources, not found.sources


def _rendered(source: ProfileSource, node: str, minor: int) -> tuple[RenderedNode | None, Sequence[str]]:
    """What a node gets of a profile, or what is wrong with it."""
    if source.profile is None or source.problems:
        return None, list(map(str, source.problems))
    try:
        return rendered_node(source.profile, node, minor), ()
    except (ProfileError, PoolError) as error:
        return None, list(map(str, error.problems))


def _summary(rendered: RenderedNode) -> str:
    sorts = Counter((device.group, device.variables["partition"]) for device in rendered.devices)
    listed = ", ".join(f"{count} {group}{f' {part}' if part else ''}" for (group, part), count in sorts.items())
    return f"{number_of(len(rendered.devices), 'device')} on a node{f': {listed}' if listed else ''}"


def _text(rendered: RenderedNode, settings: ProfileRenderSettings) -> str:
    if settings.output == "yaml":
        return yaml_of(rendered)
    columns = shutil.get_terminal_size().columns if sys.stdout.isatty() else None
    return table_of(rendered, settings.kubernetes_version.removeprefix("v"), Layout(columns))


def _print(text: str) -> None:
    sys.stdout.write(f"{one_line(text)}\n")
