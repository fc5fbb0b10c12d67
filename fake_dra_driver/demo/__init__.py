"""The driver in the embedded cluster: what ``cluster up``, ``cluster fault`` and ``demo`` run.

``cluster`` knows no driver and ``driver`` knows no cluster, so what joins the two stands above both.
"""
