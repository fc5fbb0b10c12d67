"""docs/reference.md: commands and settings, values of the chart, fields of the custom resources, permissions."""

from collections.abc import Mapping, Sequence

from pydantic import BaseModel

from fake_dra_driver.api.schema import CustomResource
from fake_dra_driver.codegen import ComponentRules, command_page, kind_page, values_of
from fake_dra_driver.driver.commandline import GO_ONLY_FLAGS
from fake_dra_driver.packaging.admission import GUARDS
from fake_dra_driver.render import render
from fake_dra_driver.settings import Settings

__all__ = ["render_reference"]


def render_reference(
    header: str,
    commands: Mapping[str, type[Settings]],
    values: type[BaseModel],
    kinds: Sequence[type[CustomResource]],
    components: Sequence[ComponentRules],
) -> str:
    """The reference as Markdown."""
    return render(
        "docs/reference.md.j2",
        header=header,
        commands=[command_page(name, model) for name, model in commands.items()],
        go_only_flags=GO_ONLY_FLAGS,
        values=[leaf for value in values_of(values) for leaf in value.leaves()],
        kinds=[kind_page(kind) for kind in kinds],
        components=components,
        guards=GUARDS,
    )
