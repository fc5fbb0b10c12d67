"""A driver's side of structured DRA, for any device: the scheduler allocates, the node prepares.

Follows k8s.io/dynamic-resource-allocation/kubeletplugin and k8s.io/dynamic-resource-allocation/resourceslice.

A driver says what its devices are: on their node by ``PoolDevices``, to the controller by a ``StructuredDriver``, and
what claims may say about them by a ``ConfigCheck``. ``StructuredNode``, ``make_structured_controllers`` and
``ClaimWebhook`` do the rest. Some of it can be used alone: ``SlicePublisher`` offers the devices of a ``Pool`` to the
scheduler, and keeps them on offer; ``FleetPublisher`` does so for many nodes that have no plugin. ``ClaimReader`` says
what a claim was allocated of them, with its opaque parameters; ``DeviceStatusWriter`` reports on them in the claim's
status, ``DeviceMetadata`` in files for containers. The modules inside, which may change:

- ``pool``: what a driver offers, and the ResourceSlices that say so. ``poollimits`` and
  ``policylimits``: what the API server would refuse.
- ``slices``: which writes bring the slices that exist in line; ``slicespec``: when two of them say the same.
- ``publisher``: decides when they are made, and repairs what others do to slices; ``publishobserver`` is told of it.
  ``slicewriter`` makes them.
- ``featuregates``: which fields an API server drops in silence, and what brings them back. ``acceptedslices``: what is
  left of a slice then.
- ``fleet``: the slices of many nodes, from one process.
- ``claims``: what a claim holds of a driver on a node; ``config``: which opaque parameters apply to a device.
- ``status``: reports on devices, in the status of their claims; ``metadata``: files that tell containers about them.
- ``pooldevices``: what is asked of a driver about the devices of a node. ``claimlookup``: what claims hold there;
  ``nodedriver``: the kubelet's calls; ``devicestatus``, ``sliceevents`` and ``slicereason``: what people are told;
  ``nodesetup``: a node's parts put together.
- ``controllerdriver``: what the controller asks of a driver. ``holdings``, ``projection``: what claims hold, as the
  NodeAllocationState of a node shows it; ``configcheck``, ``countcheck``, ``schemacheck``, ``strictschema``:
  configuration that cannot be used; ``waiting``, ``metrics``: claims that ask for the driver; ``setup``: the
  controller's parts put together, on ``caches``.
- ``deviceselector``: which of a driver's devices fit an expression.
- ``admission``, ``webhook``: what is refused when a claim is created.
"""

from typing import TYPE_CHECKING, Final

from fake_dra_driver.lazyface import lazy_face

if TYPE_CHECKING:
    from fake_dra_driver.api.resource.structured import ResourceApi
    from fake_dra_driver.dra.fieldlimits import MAX_TAINTS, text_problems, version_problems
    from fake_dra_driver.dra.structured.caches import StructuredCaches
    from fake_dra_driver.dra.structured.claims import AllocatedClaim, ClaimReader, HoldsNothingError, request_result
    from fake_dra_driver.dra.structured.config import Config, ConfigError, config_for
    from fake_dra_driver.dra.structured.configcheck import ConfigCheck, SpecProblems, alternatives_of
    from fake_dra_driver.dra.structured.controllerdriver import EntryMaker, StructuredDriver
    from fake_dra_driver.dra.structured.countcheck import CountCheck
    from fake_dra_driver.dra.structured.deviceselector import DeviceSelector, DeviceSelectorError
    from fake_dra_driver.dra.structured.devicestatus import statuses_of
    from fake_dra_driver.dra.structured.featuregates import DroppedFields
    from fake_dra_driver.dra.structured.fleet import FleetPool, FleetPublisher, FleetSource, Unchanged
    from fake_dra_driver.dra.structured.metadata import DeviceMetadata
    from fake_dra_driver.dra.structured.nodesetup import StructuredNode
    from fake_dra_driver.dra.structured.pool import Pool, PoolError
    from fake_dra_driver.dra.structured.pooldevices import PoolDevices
    from fake_dra_driver.dra.structured.poollimits import counter_set_problems, device_problems
    from fake_dra_driver.dra.structured.projection import PluginParts
    from fake_dra_driver.dra.structured.publisher import SlicePublisher
    from fake_dra_driver.dra.structured.publishobserver import PublishObserver
    from fake_dra_driver.dra.structured.reason import STRUCTURED_REASONS
    from fake_dra_driver.dra.structured.setup import make_structured_controllers
    from fake_dra_driver.dra.structured.slicereason import SLICE_REASONS
    from fake_dra_driver.dra.structured.status import DeviceStatusWriter
    from fake_dra_driver.dra.structured.strictschema import StrictSchema, schema_problems
    from fake_dra_driver.dra.structured.waiting import DriverClaims
    from fake_dra_driver.dra.structured.webhook import ClaimWebhook
    from fake_dra_driver.quantity import Quantity, QuantityError

__all__ = [
    "MAX_TAINTS",
    "SLICE_REASONS",
    "STRUCTURED_REASONS",
    "AllocatedClaim",
    "ClaimReader",
    "ClaimWebhook",
    "Config",
    "ConfigCheck",
    "ConfigError",
    "CountCheck",
    "DeviceMetadata",
    "DeviceSelector",
    "DeviceSelectorError",
    "DeviceStatusWriter",
    "DriverClaims",
    "DroppedFields",
    "EntryMaker",
    "FleetPool",
    "FleetPublisher",
    "FleetSource",
    "HoldsNothingError",
    "PluginParts",
    "Pool",
    "PoolDevices",
    "PoolError",
    "PublishObserver",
    "Quantity",
    "QuantityError",
    "ResourceApi",
    "SlicePublisher",
    "SpecProblems",
    "StrictSchema",
    "StructuredCaches",
    "StructuredDriver",
    "StructuredNode",
    "Unchanged",
    "alternatives_of",
    "config_for",
    "counter_set_problems",
    "device_problems",
    "make_structured_controllers",
    "request_result",
    "schema_problems",
    "statuses_of",
    "text_problems",
    "version_problems",
]

_MODULES: Final = {
    "ResourceApi": "..api.resource.structured",
    "MAX_TAINTS": ".fieldlimits",
    "text_problems": ".fieldlimits",
    "version_problems": ".fieldlimits",
    "StructuredCaches": "caches",
    "AllocatedClaim": "claims",
    "ClaimReader": "claims",
    "HoldsNothingError": "claims",
    "request_result": "claims",
    "Config": "config",
    "ConfigError": "config",
    "config_for": "config",
    "ConfigCheck": "configcheck",
    "SpecProblems": "configcheck",
    "alternatives_of": "configcheck",
    "EntryMaker": "controllerdriver",
    "StructuredDriver": "controllerdriver",
    "CountCheck": "countcheck",
    "DeviceSelector": "deviceselector",
    "DeviceSelectorError": "deviceselector",
    "statuses_of": "devicestatus",
    "DroppedFields": "featuregates",
    "FleetPool": "fleet",
    "FleetPublisher": "fleet",
    "FleetSource": "fleet",
    "Unchanged": "fleet",
    "DeviceMetadata": "metadata",
    "StructuredNode": "nodesetup",
    "Pool": "pool",
    "PoolDevices": "pooldevices",
    "PoolError": "pool",
    "counter_set_problems": "poollimits",
    "device_problems": "poollimits",
    "PluginParts": "projection",
    "SlicePublisher": "publisher",
    "PublishObserver": "publishobserver",
    "STRUCTURED_REASONS": "reason",
    "make_structured_controllers": "setup",
    "SLICE_REASONS": "slicereason",
    "DeviceStatusWriter": "status",
    "StrictSchema": "strictschema",
    "schema_problems": "strictschema",
    "DriverClaims": "waiting",
    "ClaimWebhook": "webhook",
    "Quantity": "..quantity",
    "QuantityError": "..quantity",
}
"""The module of each name."""

if not TYPE_CHECKING:  # type checkers know the names from above, and no others
    __getattr__, __dir__ = lazy_face(__name__, _MODULES)
