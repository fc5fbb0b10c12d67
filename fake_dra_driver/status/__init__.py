"""``fake-dra-driver status``: what goes on, for a person at a terminal or a program that reads JSON. It only reads.

- ``report``: the shape of the answer, the same for JSON and YAML; it is an interface, and documented.
- ``view``: what is read of the cluster, once or kept up to date.
- ``waiting``: why a claim has no devices yet, by the driver's own judgement of the same objects.
- ``build``: from what was read to the report.
- ``table``: the report as text, for 3 nodes and for 300.
- ``screen``: where it is written: a terminal that is redrawn, or anything else.
- ``program``: the sub-command, once or with ``--watch``.
"""
