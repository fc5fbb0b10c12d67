"""What ``cluster status`` and ``cluster node list`` say: the answer of a cluster, for programs and for people."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final

from pydantic import BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel

from fake_dra_driver.naturalorder import natural_order
from fake_dra_driver.tablelayout import Cell, Column, Layout, Row, Tone, age

__all__ = ["ClusterReport", "ClusterReports", "NodeReport", "NodeReports", "node_table", "status_text"]

_POOLS: Final = (
    Column("POOL", shrinks=True),
    Column("NODES"),
    Column("READY"),
    Column("CORDONED"),
    Column("DEVICES"),
    Column("PROFILE", shrinks=True),
    Column("KIND"),
)
_NODES: Final = (
    Column("NODE", shrinks=True),
    Column("POOL", shrinks=True),
    Column("STATE"),
    Column("CPU"),
    Column("MEMORY"),
    Column("PODS"),
    Column("DEVICES"),
    Column("PROFILE", shrinks=True),
    Column("AGE"),
)


class _Report(BaseModel):
    model_config = ConfigDict(alias_generator=to_camel, populate_by_name=True, frozen=True)


class NodeReport(_Report):
    """A node."""

    name: str
    pool: str
    """Empty: it is in none."""
    profile: str
    is_simulated: bool
    """Whether it has no kubelet."""
    is_ready: bool
    is_on: bool
    """False where its machine is switched off (``cluster fault stop-node``)."""
    is_cordoned: bool
    cpu: str
    memory: str
    pods: str
    devices: int
    since: datetime | None

    @property
    def state(self) -> str:
        """As kubectl shows it, and whether it is switched off."""
        words = ["Ready" if self.is_ready else "NotReady"]
        words += [] if self.is_on else ["Off"]
        words += ["SchedulingDisabled"] if self.is_cordoned else []
        return ",".join(words)


class PoolReport(_Report):
    """A pool as the cluster was told it; a pool without nodes is listed as well."""

    name: str
    profile: str = ""
    simulated: bool = False


class ClusterReport(_Report):
    """A cluster that runs."""

    kubernetes_version: str
    program_version: str = ""
    since: datetime
    process: int
    kubeconfig: str
    shared_kubeconfig: str = ""
    """The file of the user's own that its context was added to, and the name of the context."""
    context: str = ""
    server: str
    log: str = ""
    """Its log, if it was started with --detach."""
    pools: tuple[PoolReport, ...] = Field(default=())
    nodes: tuple[NodeReport, ...] = ()


class ClusterReports(_Report):
    """All clusters that were asked for."""

    clusters: tuple[ClusterReport, ...]


class NodeReports(_Report):
    """The nodes of a cluster."""

    nodes: tuple[NodeReport, ...]

    @classmethod
    def of(cls, answer: Any) -> "NodeReports":
        """The nodes of a cluster's answer, in the natural order of their pools and names."""
        report = ClusterReport.model_validate(answer)
        return cls(nodes=tuple(sorted(report.nodes, key=lambda node: (node.pool, natural_order(node.name)))))


def status_text(report: ClusterReport, now: datetime, layout: Layout) -> str:
    """A cluster for people: what it is, how to reach it, and its nodes by pool."""
    lines = [
        f"Kubernetes {report.kubernetes_version}, up for {age(report.since, now)}, process {report.process}",
        f"  KUBECONFIG={report.shared_kubeconfig or report.kubeconfig}",
    ]
    lines += [f"  context {report.context}"] if report.context else []
    lines += [f"  log {report.log}"] if report.log else []
    rows = list(_pool_rows(report))
    lines += layout.table(_POOLS, rows, indent="  ") if rows else ["  no nodes"]
    return "".join(f"{line}\n" for line in lines)


def _pool_rows(report: ClusterReport) -> Sequence[Row]:
    pools = {"": PoolReport(name="")} | {pool.name: pool for pool in report.pools}
    by_pool = {name: [node for node in report.nodes if node.pool == name] for name in pools}
    return [
        _pool_row(pool, by_pool[name], has_pools=bool(report.pools))
        for name, pool in pools.items()
        if name or by_pool[name]
    ]


def _pool_row(pool: PoolReport, nodes: Sequence[NodeReport], *, has_pools: bool) -> Row:
    ready = sum(node.is_ready for node in nodes)
    cordoned = sum(node.is_cordoned for node in nodes)
    return Row(
        [
            Cell(pool.name or ("(none)" if has_pools else "")),
            Cell(str(len(nodes))),
            Cell(str(ready), Tone.GOOD if ready == len(nodes) else Tone.WARNING),
            Cell(str(cordoned) if cordoned else ""),
            Cell(str(sum(node.devices for node in nodes))),
            Cell(pool.profile),
            Cell("simulated" if pool.simulated else ""),
        ]
    )


def node_table(report: NodeReports, now: datetime, layout: Layout) -> str:
    """The nodes for people: a table, or a sentence where there are none."""
    if not report.nodes:
        return "the cluster has no nodes\n"
    return "".join(f"{line}\n" for line in layout.table(_NODES, [_node_row(node, now) for node in report.nodes]))


def _node_row(node: NodeReport, now: datetime) -> Row:
    return Row(
        [
            Cell(node.name),
            Cell(node.pool),
            Cell(node.state, Tone.GOOD if node.state == "Ready" else Tone.WARNING),
            Cell(node.cpu),
            Cell(node.memory),
            Cell(node.pods),
            Cell(str(node.devices)),
            Cell(node.profile),
            Cell(age(node.since, now)),
        ]
    )
