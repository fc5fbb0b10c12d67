"""The driver in the embedded cluster: what ``cluster up`` and ``demo`` put together.

``cluster`` knows no driver and ``driver`` knows no cluster, so what joins the two stands above both.
"""
