"""``fake-dra-driver status``: the state of the driver, for a person at a terminal or a program that reads JSON.

It only reads.

- ``report``: the shape of the answer, the same for JSON and YAML: a documented interface.
- ``view``: what is read from the cluster, once or continuously.
- ``claimsource``: what is to be known of claims; ``classic`` and ``structured`` know it, for one mode of DRA each.
- ``build``: makes the report of what was read.
- ``nodes``: which nodes take pods at all.
- ``table``: the report as text, for 3 nodes and for 300.
- ``screen``: where it is written: a terminal that is redrawn, or anything else.
- ``program``: the sub-command, once or with ``--watch``.
"""
