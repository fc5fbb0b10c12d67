"""What differs between the releases with structured DRA, as far as the scheduler is concerned."""

from dataclasses import dataclass

from fake_dra_driver.api.resource.structured import RESOURCE_APIS
from fake_dra_driver.api.resource.v1 import ResourceClaim
from fake_dra_driver.cluster.releases import Release

__all__ = ["Features"]


@dataclass(frozen=True, slots=True)
class Features:
    """Of one release, with the gates that are on."""

    claims: type[ResourceClaim]
    """The claims of the version that the scheduler speaks."""
    prioritized_list: bool = True
    extended_resources: bool = True
    binding_conditions: bool = True
    retries_when_idle: bool = True
    """Whether a pod that something may help is tried before its backoff is over if there is nothing else to do."""
    long_search_is_error: bool = True
    """Whether a search that takes too long ends the attempt, and not only rules out the node."""
    says_nothing_to_deallocate: bool = False
    """Whether a pod is told that no claim was deallocated for it."""
    names_untolerated_taints: bool = False
    """Whether a pod is told which taint of a node it does not tolerate."""
    tells_binding_errors_apart: bool = True
    """Whether the error of a binding condition begins with what sort of error it is."""

    @classmethod
    def of(cls, release: Release) -> "Features":
        """Those of a release."""
        has_status = release.is_enabled("DRAResourceClaimDeviceStatus")
        return cls(
            RESOURCE_APIS[release.structured_version].claims,
            prioritized_list=release.is_enabled("DRAPrioritizedList"),
            extended_resources=release.is_enabled("DRAExtendedResource"),
            binding_conditions=has_status and release.is_enabled("DRADeviceBindingConditions"),
            retries_when_idle=release.is_enabled("SchedulerPopFromBackoffQ"),
            long_search_is_error=release.long_searches_are_errors,
            says_nothing_to_deallocate=release.says_nothing_to_deallocate,
            names_untolerated_taints=release.names_untolerated_taints,
            tells_binding_errors_apart=release.tells_binding_errors_apart,
        )
