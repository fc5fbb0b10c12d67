"""The shapes of kubeconfigs: for each what a program finds, and whether it is to ask a server or to refuse.

A refusal is compared by what it names: a file, a field, an entry. Both programs' messages have to have these words, and
those of ``status`` other words where kubectl does not say what is wrong.
"""

from collections.abc import Mapping
from typing import Final

from tests.integration.kubeconfig.shapes.contexts import CONTEXTS
from tests.integration.kubeconfig.shapes.documents import DOCUMENTS
from tests.integration.kubeconfig.shapes.environment import ENVIRONMENT
from tests.integration.kubeconfig.shapes.files import FILES
from tests.integration.kubeconfig.shapes.identities import IDENTITIES
from tests.integration.kubeconfig.shapes.plugins import PLUGINS
from tests.integration.kubeconfig.shapes.proxies import PROXIES
from tests.integration.kubeconfig.shapes.scalars import SCALARS
from tests.integration.kubeconfig.shapes.secrets import SECRETS
from tests.integration.kubeconfig.shapes.servers import SERVERS
from tests.integration.kubeconfig.shapes.shape import DEFAULT_ADDRESS, Shape
from tests.integration.kubeconfig.shapes.trust import TRUST

__all__ = ["DEFAULT_ADDRESS", "SHAPES", "Shape"]

SHAPES: Final[Mapping[str, Shape]] = {
    f"{group}: {name}": shape
    for group, shapes in {
        "server": SERVERS,
        "trust": TRUST,
        "user": IDENTITIES,
        "document": DOCUMENTS,
        "value": SCALARS,
        "context": CONTEXTS,
        "files": FILES,
        "plugin": PLUGINS,
        "secret": SECRETS,
        "proxy": PROXIES,
        "environment": ENVIRONMENT,
    }.items()
    for name, shape in shapes.items()
}
