"""Renders CRDs, chart, RBAC and reference from the schema in ``api.fake`` and the models in ``settings``."""
