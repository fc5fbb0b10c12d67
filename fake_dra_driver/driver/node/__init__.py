"""The Fake devices on a node, in either mode of DRA: preparing claims, recovery, and what the node's object says of it.

- ``nodedriver``: the kubelet's calls; ``preparer``: what is done for them; ``retry``: how often, and for how long.
- ``recovery``: start, lost files, stale claims; ``claimlookup``: what it asks about claims, which each mode answers.
- ``publisher``: the node's NodeAllocationState; ``events``: what people are told; ``metrics``: what is counted.
- ``setup``: the parts put together.
"""
