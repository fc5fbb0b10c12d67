"""Everything that is asked whether a valid write is admitted.

Follows the order of k8s.io/kubernetes/pkg/kubeapiserver/options (plugins.go): policies, then webhooks. Nothing changes
a write here: of what a real server asks, mutating webhooks and policies are missing.
"""

from collections.abc import Callable, Mapping

from fake_dra_driver.cluster.apiserver.admission.attributes import Attributes
from fake_dra_driver.cluster.apiserver.admission.matching import Matcher, is_exempt
from fake_dra_driver.cluster.apiserver.admission.policies import Policies
from fake_dra_driver.cluster.apiserver.admission.webhooks import Webhooks
from fake_dra_driver.cluster.apiserver.store.store import Store
from fake_dra_driver.cluster.apiserver.types.resource import Registry

__all__ = ["Admission"]


class Admission:
    """Asks policies and webhooks. Costs next to nothing while there are none."""

    def __init__(self, store: Store, registry: Registry, labels_of: Callable[[str], Mapping[str, str]]) -> None:
        """On one store.

        Args:
            store: where policies and webhooks are.
            registry: the resources, in all their versions.
            labels_of: the labels of a namespace.
        """
        matcher = Matcher(registry, labels_of)
        self._policies = Policies(store, matcher)
        self.webhooks = Webhooks(store, matcher)
        """Those that are called."""

    def review(self, attributes: Attributes, warn: Callable[[str], None]) -> None:
        """Asks all of them about a write that is about to be made.

        Args:
            attributes: the write.
            warn: called with what the client is warned of.

        Raises:
            StatusError: it is denied.
        """
        if is_exempt(attributes):
            return
        self._policies.review(attributes, warn)
        self.webhooks.review(attributes, warn)
