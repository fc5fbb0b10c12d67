"""What one release of Kubernetes does differently from another when it allocates devices.

The releases themselves are named elsewhere (``cluster.releases``): this package knows features and rules only.
"""

from dataclasses import dataclass
from typing import Literal

__all__ = ["Behaviour", "ConfigRule"]

ConfigRule = Literal["once", "per-request", "cleared"]
"""How an entry of a claim's ``config`` gets into its allocation: once; once for each request that it names; or once,
and without the names where those are all the requests there are."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Behaviour:
    """Features that are on, and rules that apply. The defaults are those of Kubernetes 1.37."""

    admin_access: bool = True
    """DRAAdminAccess. Off: a request for it is an error."""
    prioritized_list: bool = True
    """DRAPrioritizedList. Off: ``firstAvailable`` is an error."""
    partitionable_devices: bool = True
    """DRAPartitionableDevices. Off: slices with shared counters or nodes per device are ignored."""
    consumable_capacity: bool = True
    """DRAConsumableCapacity. Off: every device is for one claim alone; a request for capacity is an error."""
    fractional_capacity: bool = True
    """DRAFractionalCapacityRange: steps of a capacity may be less than one."""
    device_taints: bool = True
    """DRADeviceTaints. Off: taints keep nothing away."""
    taint_rules: bool = True
    """DRADeviceTaintRules: DeviceTaintRules add taints to the devices that they select."""
    binding_conditions: bool = True
    """DRADeviceBindingConditions with DRAResourceClaimDeviceStatus. Off: devices with conditions are ignored."""
    list_attributes: bool = False
    """DRAListTypeAttributes: constraints compare attributes as sets of values."""
    extended_resources: bool = True
    """DRAExtendedResource: pods get devices for the resources of their containers."""

    pools_over_cluster: bool = True
    """Whether a pool is complete when all its slices exist; otherwise, when the node sees all of them."""
    incomplete_pools_usable: bool = False
    """Whether devices of a pool whose slices are not all there can be allocated, unless a request wants all."""
    counter_slices_everywhere: bool = False
    """Whether slices with shared counters are about every node, whatever they say."""
    conditional_pools_last: bool = True
    """Whether pools that have devices with binding conditions are tried after the others."""
    conditional_slices_last: bool = False
    """The same for slices within a pool."""
    invalid_pools_named: bool = True
    """Whether a node on which nothing fits is refused with another text where one of its pools is invalid."""
    errors_name_device: bool = True
    """Whether the error of a selector says on which device it happened, and what to try."""
    claim_config: ConfigRule = "cleared"
    class_config_once: bool = True
    """Whether requests of the same class share the entries of its configuration."""
    allocation_timestamp: Literal["never", "with-conditions", "always"] = "always"
    """On which allocations the scheduler sets ``allocationTimestamp``."""
