"""Which kubeconfigs there are, and what they say together: one cluster and one user.

Follows ClientConfigLoadingRules and DirectClientConfig of k8s.io/client-go/tools/clientcmd. Of several files the first
that has an entry of a name wins, with the whole entry; what is missing is passed over. Relative paths count from the
folder of the file that they stand in.
"""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from fake_dra_driver.runtime.errors import CredentialsError
from fake_dra_driver.runtime.kubeconfig.document import (
    Cluster,
    Config,
    Context,
    DocumentError,
    User,
    parse_mapping,
    parse_text,
)

__all__ = ["Chosen", "Kubeconfig", "load"]


@dataclass(frozen=True, slots=True)
class Chosen:
    """What one context of the kubeconfigs stands for. Empty entries are those that no file has."""

    cluster_name: str = ""
    cluster: Cluster = field(default_factory=Cluster)
    user_name: str = ""
    user: User = field(default_factory=User)
    namespace: str = ""
    origin: str = ""
    """Context and file, for messages; empty when no file says where the server is."""


class Kubeconfig:
    """What several kubeconfigs say together."""

    def __init__(self) -> None:
        self.current_context = ""
        self.clusters: dict[str, tuple[Cluster, Path | None]] = {}
        """With the file that each is from; None: from no file."""
        self.users: dict[str, User] = {}
        self.contexts: dict[str, Context] = {}
        self.files: list[Path] = []
        """Those that were found."""

    def add(self, config: Config, folder: Path, file: Path | None) -> None:
        """Adds what is not known yet.

        Args:
            config: what the file says.
            folder: from which its relative paths count.
            file: where it stands; None for what was never in a file.
        """
        self.current_context = self.current_context or config.current_context
        for cluster in config.clusters:
            self.clusters.setdefault(cluster.name, (_resolved_cluster(cluster.cluster, folder), file))
        for user in config.users:
            self.users.setdefault(user.name, _resolved_user(user.user, folder))
        for context in config.contexts:
            self.contexts.setdefault(context.name, context.context)
        if file is not None:
            self.files.append(file)

    def choose(self, context_name: str | None = None) -> Chosen:
        """What a context stands for; the current one when none is named.

        A name of a cluster or a user that no file has is passed over, as kubectl does.

        Raises:
            CredentialsError: there is no such context.
        """
        name = context_name or self.current_context
        if name and name not in self.contexts:
            known = ", ".join(sorted(self.contexts)) or "none"
            raise CredentialsError(f"There is no context {name} in {self._place()}; there are: {known}")
        context = self.contexts.get(name, Context())
        cluster, file = self.clusters.get(context.cluster, (Cluster(), None))
        origin = f"context {name} of {file or 'a kubeconfig'}" if cluster.server else ""
        return Chosen(
            context.cluster, cluster, context.user, self.users.get(context.user, User()), context.namespace, origin
        )

    def _place(self) -> str:
        return " or ".join(map(str, self.files)) or "the kubeconfig"


def load(source: Sequence[Path] | Mapping[str, Any], *, must_exist: bool) -> Kubeconfig:
    """Reads kubeconfigs; blocks.

    Args:
        source: files, the most important first; or a kubeconfig that was read already, whose relative paths count from
            the working directory.
        must_exist: otherwise a file that is missing is passed over.

    Raises:
        CredentialsError: one of them cannot be read, or is no kubeconfig.
    """
    loaded = Kubeconfig()
    if isinstance(source, Mapping):
        try:
            loaded.add(parse_mapping(source), Path.cwd(), None)
        except DocumentError as error:
            raise CredentialsError(f"The kubeconfig cannot be used: {error}") from error
        return loaded
    problems = []
    for path in dict.fromkeys(source):
        try:
            loaded.add(parse_text(path.read_bytes()), path.absolute().parent, path)
        except FileNotFoundError:
            if must_exist:
                problems.append(f"The kubeconfig {path} does not exist: name one that does, or none")
        except OSError as error:
            problems.append(f"The kubeconfig {path} cannot be read: {error.strerror}")
        except DocumentError as error:
            problems.append(f"The kubeconfig {path} cannot be used: {error}")
    if problems:
        raise CredentialsError(". ".join(problems))
    return loaded


def _resolved_cluster(cluster: Cluster, folder: Path) -> Cluster:
    return cluster.model_copy(update={"certificate_authority": _resolved(cluster.certificate_authority, folder)})


def _resolved_user(user: User, folder: Path) -> User:
    update: dict[str, object] = {
        name: _resolved(getattr(user, name), folder) for name in ("client_certificate", "client_key", "token_file")
    }
    # A command without a slash is looked for in PATH.
    if user.exec is not None and os.sep in user.exec.command:
        update["exec"] = user.exec.model_copy(update={"command": _resolved(user.exec.command, folder)})
    return user.model_copy(update=update)


def _resolved(path: str, folder: Path) -> str:
    return str(folder / path) if path else ""
