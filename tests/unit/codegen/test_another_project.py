"""Everything that is made of a schema and of settings, for a project that is not this driver."""

from typing import Annotated

import pytest
import yaml
from pydantic import Field, create_model

from fake_dra_driver.api.kube.meta import ResourceKind
from fake_dra_driver.api.schema import CelRule, Crd, CustomResource, PrinterColumn, SchemaModel, ServerDefault
from fake_dra_driver.codegen import (
    GoTemplateError,
    Values,
    chart_settings,
    command_page,
    kind_page,
    render_chart,
    render_crd,
    setting_fields,
    values_of,
    values_schema,
)
from fake_dra_driver.settings import Flag, Settings


class BrushSpec(SchemaModel):
    """What a brush looks like."""

    cel_rules = (CelRule("self.width != 13", "13 is not made"),)

    width: Annotated[int, ServerDefault()] = Field(default=3, ge=1, le=20)
    """Width in millimetres."""


class Brush(CustomResource):
    """A brush."""

    resource = ResourceKind("paint.example.com", "v1", "Brush", "brushes")
    crd = Crd(
        singular="brush",
        short_names=("br",),
        printer_columns=(PrinterColumn("Width", "integer", ".spec.width", "In millimetres."),),
    )

    spec: Annotated[BrushSpec, ServerDefault()] = Field(default_factory=BrushSpec)
    """What it looks like."""


class PainterSettings(Settings):
    """Paints."""

    prefix = "PAINT_"
    groups = ("Work",)

    coats: Annotated[int, Flag("Work", "N")] = Field(default=2, ge=1, le=9)
    """How often to paint."""
    dry: Annotated[bool, Flag("Work")] = False
    """Whether to leave the paint out."""
    color: Annotated[str, Flag("Work", in_chart=False)] = "red"
    """What to paint with."""


def test_a_crd() -> None:
    crd = yaml.safe_load(render_crd(Brush, "a header"))
    assert crd["metadata"] == {"name": "brushes.paint.example.com"}
    (version,) = crd["spec"]["versions"]
    schema = version["schema"]["openAPIV3Schema"]
    assert schema["description"] == "A brush."
    assert schema["properties"]["spec"] == {
        "description": "What it looks like.",
        "type": "object",
        "default": {"width": 3},
        "properties": {
            "width": {
                "description": "Width in millimetres.",
                "type": "integer",
                "minimum": 1,
                "maximum": 20,
                "default": 3,
            },
        },
        "x-kubernetes-validations": [{"rule": "self.width != 13", "message": "13 is not made"}],
    }


def test_pages_of_documentation() -> None:
    page = kind_page(Brush)
    assert (page.name, page.api_version, page.aliases) == ("Brush", "paint.example.com/v1", ("br", "brush"))
    assert [(row.path, row.default, row.allowed) for row in page.fields] == [
        ("spec", "", ""),
        ("spec.width", "3", "1 to 20"),
    ]
    assert [(row.path, row.message) for row in page.rules] == [("spec", "13 is not made")]
    command = command_page("paint", PainterSettings)
    assert command.about == "Paints."
    assert [setting.variables for setting in command.settings] == [("PAINT_COATS",), ("PAINT_DRY",), ("PAINT_COLOR",)]


def test_values_of_a_chart() -> None:
    settings = create_model("PainterValues", __base__=Values, **setting_fields(PainterSettings))
    model = create_model("AllValues", __base__=Values, settings=(settings, settings()))
    (value,) = values_of(model)
    assert [(key, leaf.default) for key, leaf in value.leaves()] == [("settings.coats", 2), ("settings.dry", False)]
    coats, dry = chart_settings("painter", PainterSettings)
    assert (coats.argument, coats.condition) == ('printf "--coats=%d" (int64 .Values.painter.settings.coats)', "")
    assert (dry.argument, dry.condition) == ('"--dry"', ".Values.painter.settings.dry")
    schema = values_schema(model, "a header", {"brush": {"description": "Refused by the chart."}})
    assert sorted(schema["properties"]) == ["brush", "global", "settings"]
    bounds = schema["properties"]["settings"]["properties"]["coats"]
    assert (bounds["minimum"], bounds["maximum"]) == (1, 9)


CHART = {
    "Chart.yaml": "name: painter\nversion: 1.0.0\nappVersion: v1\n",
    "values.yaml": "coats: 2\npot: {color: red, size: 1}\n",
    "files/note.txt": "wet",
    "templates/deployment.yaml": "kind: Deployment\nargs: [{{ .Values.coats }}, {{ .Values.pot.color }}]\n"
    'size: {{ .Values.pot.size }}\nnote: {{ .Files.Get "files/note.txt" }}\n',
    "templates/account.yaml": "kind: ServiceAccount\nnamespace: {{ .Release.Namespace }}\nname: {{ .Release.Name }}\n",
    "templates/refusal.yaml": '{{ if not (.Capabilities.APIVersions.Has "paint.example.com/v1") }}{{ fail "no paint" }}'
    "{{ end }}",
}


def test_a_charts_manifests() -> None:
    served = ["paint.example.com/v1"]
    found = render_chart(CHART, "wall", release="mine", values={"pot": {"color": "blue"}}, api_versions=served)
    assert found == [
        {"kind": "ServiceAccount", "namespace": "wall", "name": "mine"},
        {"kind": "Deployment", "args": [2, "blue"], "size": 1, "note": "wet"},
    ]
    with pytest.raises(GoTemplateError, match="no paint"):
        render_chart(CHART, "wall", release="mine")
