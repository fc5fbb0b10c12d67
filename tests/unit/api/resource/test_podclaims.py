"""Which claims a pod uses, in the forms of all releases."""

from collections.abc import Sequence
from typing import Any

import pytest

from fake_dra_driver.api.kube.core import Pod
from fake_dra_driver.api.resource.podclaims import claim_keys

CLASSIC_CLAIM = {"name": "a", "source": {"resourceClaimName": "c"}}
CLAIM = {"name": "a", "resourceClaimName": "c"}
CLASSIC_TEMPLATE = {"name": "a", "source": {"resourceClaimTemplateName": "t"}}
TEMPLATE = {"name": "a", "resourceClaimTemplateName": "t"}
MADE = [{"name": "a", "resourceClaimName": "p-a-x7fkq"}]
NONE_NEEDED = [{"name": "a"}]


@pytest.mark.parametrize(
    ("entry", "statuses", "expected"),
    [
        (CLASSIC_CLAIM, None, ["c"]),
        (CLAIM, None, ["c"]),
        (CLAIM, MADE, ["c"]),
        (CLASSIC_TEMPLATE, MADE, ["p-a-x7fkq"]),
        (TEMPLATE, MADE, ["p-a-x7fkq"]),
        (TEMPLATE, [], []),
        (TEMPLATE, NONE_NEEDED, []),
        # Kubernetes 1.27 says nothing, and always gives this name.
        (CLASSIC_TEMPLATE, None, ["p-a"]),
    ],
)
def test_the_claim_of_an_entry(entry: object, statuses: Any, expected: Sequence[str]) -> None:
    status = {} if statuses is None else {"resourceClaimStatuses": statuses}
    wire = {"metadata": {"name": "p", "namespace": "default"}, "spec": {"resourceClaims": [entry]}, "status": status}
    assert [key.name for key in claim_keys(Pod.from_wire(wire))] == expected
