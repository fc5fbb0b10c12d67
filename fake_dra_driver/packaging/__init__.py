"""What this driver ships beside its code, rendered with ``codegen``: CRDs, chart, alerts, dashboard, documentation."""
