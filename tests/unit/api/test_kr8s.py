"""The kinds of the schema as classes of kr8s."""

import pytest

from fake_dra_driver.api import kr8s
from fake_dra_driver.api.kinds import KINDS
from fake_dra_driver.api.kr8s import asyncio


@pytest.mark.parametrize("module", [kr8s, asyncio])
def test_every_kind_is_declared_as_in_the_schema(module: object) -> None:
    for kind in KINDS:
        declared = getattr(module, kind.__name__)
        at = kind.resource
        found = (declared.kind, declared.version, declared.endpoint, declared.plural, declared.namespaced)
        assert found == (at.kind, at.api_version, at.plural, at.plural, at.namespaced)
        assert declared._asyncio is not (module is kr8s)
