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
    fractional_capacity: bool = False
    """DRAFractionalCapacityRange: steps of a capacity may be less than one. Off in a 1.37 that is compatible with 1.36,
    as it is by default."""
    device_taints: bool = True
    """DRADeviceTaints. Off: taints keep nothing away."""
    taint_rules: bool = True
    """DRADeviceTaintRules: DeviceTaintRules add taints to the devices that they select."""
    binding_conditions: bool = True
    """DRADeviceBindingConditions with DRAResourceClaimDeviceStatus. Off: devices with conditions are ignored.

    Where it is on, a scheduler sets ``allocationTimestamp`` on all allocations that it writes."""
    list_attributes: bool = False
    """DRAListTypeAttributes: constraints compare attributes as sets of values."""
    extended_resources: bool = True
    """DRAExtendedResource: pods get devices for the resources of their containers."""

    pools_over_cluster: bool = True
    """Whether a pool is complete when all its slices exist; otherwise, when the node sees all of them."""
    incomplete_pools_usable: bool = False
    """Whether devices of a pool whose slices are not all there can be allocated, unless a request wants all."""
    invalid_pools_abort: bool = False
    """Whether a device that fits and is in an invalid pool ends the pod's cycle; otherwise such pools are left out, and
    a node on which nothing fits is refused with a text of its own where it sees one."""
    counters_in_slices: bool = False
    """Whether counters are those of one slice, beside its devices; otherwise they are those of the whole pool."""
    counter_slices_everywhere: bool = False
    """Whether slices with shared counters are about every node, whatever they say."""
    conditional_slices_last: bool = False
    """Whether the slices of a pool that have devices with binding conditions are tried after the others."""
    admin_devices_distinct: bool = True
    """Whether a claim with admin access gets a device once only."""
    all_needs_one: bool = True
    """Whether a request for all devices is refused where there are none."""
    all_skips_used_up: bool = False
    """Whether a request for all devices leaves out those without enough capacity left; otherwise it is refused."""
    distinct_from_last: bool = False
    """Whether ``distinctAttribute`` compares a device with the last one of each request only."""
    limit_names_request: bool = True
    """Whether the error about too many devices says which request exceeds the limit."""
    errors_name_device: bool = True
    """Whether the error of a selector says on which device it happened, and what to try."""
    copies_tolerations: bool = True
    """Whether an allocation has the tolerations of its requests, which eviction goes by."""
    binary_amounts: bool = False
    """Whether an amount of capacity that was rounded up is written in binary form, whatever the form of the step."""
    claim_config: ConfigRule = "cleared"
    class_config_shared: bool = True
    """Whether requests of the same class share the entries of its configuration, which name them; otherwise there are
    entries for each request, which name none."""
