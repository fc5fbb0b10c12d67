"""``fake-dra-driver why``: what stands in the way of a pod's claims, node by node and device by device.

It only reads, works for the devices of any DRA driver, and asks the allocator (``fake_dra_driver.allocation``) what a
scheduler of the cluster's release decides.

- ``report``: the shape of the answer, the same for JSON and YAML: a documented interface.
- ``subject``: which pod or claim is meant, and what stands in its way before any node is looked at.
- ``snapshot``: what is read from the cluster, and which rights are missing.
- ``behaviour``: which release the scheduler has, and which features are on.
- ``nodefilter``: what keeps a pod away from a node, whatever devices that has.
- ``words``: obstacles in sentences.
- ``build``: makes the report of what was read.
- ``table``: the report as text.
- ``program``: the sub-command.
"""
