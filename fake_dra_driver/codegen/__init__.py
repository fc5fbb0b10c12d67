"""From a project's schema and settings to what it ships: CRDs, permissions, a chart's values, reference, dashboard.

A project writes its kinds with ``api.schema`` and its settings with ``settings``. ``Project`` makes all that a DRA
driver ships from them. It is made of these parts, for projects of another kind:

- ``render_crd`` for the CustomResourceDefinition of a kind;
- ``Rule`` and ``ComponentRules`` to write down permissions, and ``Guard`` what is refused all the same;
- ``Values``, ``setting_fields`` and ``chart_settings`` for the values of a chart, ``values_of`` and ``values_schema``
  for its values.yaml and values.schema.json, ``render_chart`` for its manifests without helm;
- ``command_page`` and ``kind_page`` for reference documentation;
- ``dashboard_json`` for a Grafana dashboard, ``alert_rules`` for alerts of Prometheus;
- ``SourceTree`` to write all of it into the tree, and to check that it is up to date.

Nothing here knows a driver: ``packaging`` is what this one makes with it. Names are imported when they are first used:
a program that only checks a model loads no templates.
"""

from typing import TYPE_CHECKING, Final

from fake_dra_driver.lazyface import lazy_face

if TYPE_CHECKING:
    from fake_dra_driver.codegen.chart import Manifest, render_chart
    from fake_dra_driver.codegen.crd import definition, file_name
    from fake_dra_driver.codegen.crdtext import render_crd
    from fake_dra_driver.codegen.documentation import CommandPage, FieldRow, KindPage, RuleRow, command_page, kind_page
    from fake_dra_driver.codegen.files import SourceTree
    from fake_dra_driver.codegen.gotemplate import GoTemplateError
    from fake_dra_driver.codegen.grafana import DashboardRow, Panel, Query, dashboard_json
    from fake_dra_driver.codegen.guard import Check, Guard
    from fake_dra_driver.codegen.project import PerRelease, Project, ProjectError, StatusReader
    from fake_dra_driver.codegen.prometheus import Alert, alert_rules
    from fake_dra_driver.codegen.rbac import CACHE_VERBS, CLASSIC, READ_VERBS, STRUCTURED, ComponentRules, Rule
    from fake_dra_driver.codegen.schemaerror import SchemaError
    from fake_dra_driver.codegen.structuralschema import description_of
    from fake_dra_driver.codegen.values import (
        Bounds,
        ChartSetting,
        JsonObject,
        Value,
        Values,
        bounds_of,
        chart_settings,
        setting_fields,
        values_of,
        values_schema,
    )

__all__ = [
    "CACHE_VERBS",
    "CLASSIC",
    "READ_VERBS",
    "STRUCTURED",
    "Alert",
    "Bounds",
    "ChartSetting",
    "Check",
    "CommandPage",
    "ComponentRules",
    "DashboardRow",
    "FieldRow",
    "GoTemplateError",
    "Guard",
    "JsonObject",
    "KindPage",
    "Manifest",
    "Panel",
    "PerRelease",
    "Project",
    "ProjectError",
    "Query",
    "Rule",
    "RuleRow",
    "SchemaError",
    "SourceTree",
    "StatusReader",
    "Value",
    "Values",
    "alert_rules",
    "bounds_of",
    "chart_settings",
    "command_page",
    "dashboard_json",
    "definition",
    "description_of",
    "file_name",
    "kind_page",
    "render_chart",
    "render_crd",
    "setting_fields",
    "values_of",
    "values_schema",
]

_MODULES: Final = {
    "Manifest": "chart",
    "render_chart": "chart",
    "definition": "crd",
    "file_name": "crd",
    "render_crd": "crdtext",
    "CommandPage": "documentation",
    "FieldRow": "documentation",
    "KindPage": "documentation",
    "RuleRow": "documentation",
    "command_page": "documentation",
    "kind_page": "documentation",
    "SourceTree": "files",
    "GoTemplateError": "gotemplate",
    "DashboardRow": "grafana",
    "Panel": "grafana",
    "Query": "grafana",
    "dashboard_json": "grafana",
    "Check": "guard",
    "Guard": "guard",
    "PerRelease": "project",
    "Project": "project",
    "ProjectError": "project",
    "StatusReader": "project",
    "Alert": "prometheus",
    "alert_rules": "prometheus",
    "CACHE_VERBS": "rbac",
    "CLASSIC": "rbac",
    "ComponentRules": "rbac",
    "READ_VERBS": "rbac",
    "Rule": "rbac",
    "STRUCTURED": "rbac",
    "SchemaError": "schemaerror",
    "description_of": "structuralschema",
    "Bounds": "values",
    "ChartSetting": "values",
    "JsonObject": "values",
    "Value": "values",
    "Values": "values",
    "bounds_of": "values",
    "chart_settings": "values",
    "setting_fields": "values",
    "values_of": "values",
    "values_schema": "values",
}
"""The module of each name."""

if not TYPE_CHECKING:  # type checkers know the names from above, and no others
    __getattr__, __dir__ = lazy_face(__name__, _MODULES)
