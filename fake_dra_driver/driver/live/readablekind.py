"""Whether objects of a kind can be read, before they are watched.

A plugin serves its node without them: a release that comes with new kinds may find neither their CRDs, since helm
leaves CRDs alone when it upgrades a release, nor the permission to read them.
"""

from typing import Final

from fake_dra_driver.api.kube.meta import KubeObject
from fake_dra_driver.runtime import Client, ForbiddenError, NotFoundError

__all__ = ["LOOK_AGAIN_SECONDS", "why_unreadable"]

LOOK_AGAIN_SECONDS: Final = 30.0
"""Until it is asked again whether a kind can be read."""


async def why_unreadable(client: Client, kind: type[KubeObject]) -> str:
    """Why the objects of a kind cannot be watched, and what to do about it; empty when they can.

    Raises:
        RuntimeLayerError: that could not be found out.
    """
    try:
        # Objects come with the watch: none has this name.
        await client.list(kind, field_selector="metadata.name=.")
    except NotFoundError:
        plural = f"{kind.resource.plural}.{kind.resource.group}"
        return f"{kind.resource.kind}s do not count: apply the CRD {plural} of this release"
    except ForbiddenError as error:
        return f"{kind.resource.kind}s do not count, since they may not be read: {error}"
    return ""
