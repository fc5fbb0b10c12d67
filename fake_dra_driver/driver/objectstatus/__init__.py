"""What the controller says about DeviceProfiles and DeviceFaults, in either mode of DRA.

- ``catalog``: the profiles, the faults, and the nodes that they are for, as far as they can be read.
- ``profilestatus``: whether a profile can be used, on how many nodes it is, and which other one it competes with.
- ``faultstatus``: whether a fault does something; ``nomatch``: why not, if it means devices that there are none of.
- ``setup``: the controllers.
"""
