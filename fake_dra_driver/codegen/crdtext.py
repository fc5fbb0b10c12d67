"""The file of a CustomResourceDefinition: its text is parsed back and compared before it is returned."""

import yaml

from fake_dra_driver.api.schema import CustomResource
from fake_dra_driver.codegen.crd import definition
from fake_dra_driver.codegen.schemaerror import SchemaError
from fake_dra_driver.render import render

__all__ = ["render_crd"]


def render_crd(kind: type[CustomResource], header: str) -> str:
    """The CRD of a kind as YAML. Raises SchemaError when the text would not say what the model says."""
    wanted = definition(kind)
    text = render("crds/crd.yaml.j2", header=header, definition=wanted)
    if yaml.safe_load(text) != wanted:
        raise SchemaError(f"the CRD of {kind.__name__} does not survive being written as YAML")
    return text
