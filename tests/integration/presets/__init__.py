"""The chart's presets in an embedded cluster: manifests that are written for the vendors run on them."""
