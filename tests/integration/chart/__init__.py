"""The chart for any name, any values and any way of installing it, held against what API servers accept.

An installation is drawn (``draws``), rendered by helm (``rendering``), and each object is judged by itself on an API
server (``judge``) and in the company of the others (``rules``). What is drawn of the values comes from the chart's own
schema (``values``), so that a new value is drawn as soon as it is there.
"""
