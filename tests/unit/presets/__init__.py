"""The presets of the chart: what nodes have by them."""
