"""Several releases of the chart, each of a driver of its own, in one embedded cluster."""
