"""Metrics for Prometheus: read from the core's state when they are asked for, so that no message pays for them.

They speak of the process, not of what is durable, and do not wait for it: when the journal hangs they show that.
"""

from collections import Counter
from collections.abc import Iterator, Mapping

from prometheus_client import CollectorRegistry, ProcessCollector, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from chatcore.edges import census
from chatcore.edges.api import Call
from chatcore.edges.gateway import Gateway

MEDIA = "text/plain; version=0.0.4; charset=utf-8"


class CoreCollector(Collector):
    """The families of one core; every label's values come from its code or its configuration."""

    def __init__(self, gateway: Gateway) -> None:
        self._gateway = gateway

    def collect(self) -> Iterator[Metric]:
        """All families, as of now."""
        yield from self._dialogs()
        yield from self._journal()
        yield from self._edges()

    def _dialogs(self) -> Iterator[Metric]:
        core = self._gateway.core
        queues = Counter({each: 0 for operator in core.floor.state.operators.values() for each in operator.departments})
        for kind, queue in core.floor.state.queues.items():
            queues[kind.department] += len(queue)
        open_ = {state: count for state, count in census.dialogs(core).items() if state != "closed"}
        blocked = sum(len(partition.state.blocked) for partition in core.partitions)
        unsettled = sum(partition.unsettled() for partition in core.partitions)
        yield _counter("messages", "messages stored, by channel account", "account", census.messages(core))
        yield _gauge("dialogs", "open dialogs, by state", "state", open_)
        yield _counter("closed", "dialogs that were closed, by reason", "reason", census.closed(core))
        yield _gauge("waiting", "dialogs in queues, by department", "department", queues)
        yield _gauge("operators", "operators, by presence", "presence", census.operators(core))
        yield GaugeMetricFamily("chatcore_unsettled_replies", "replies not known to be delivered or failed", unsettled)
        yield GaugeMetricFamily("chatcore_blocked_contacts", "contacts whose messages are refused", blocked)

    def _journal(self) -> Iterator[Metric]:
        owners = self._gateway.core.owners
        yield _gauge("log_position", "records decided, by log", "log", {own.log: own.position for own in owners})
        lags = {owner.log: owner.position - owner.durable for owner in owners}
        yield _gauge("log_lag_records", "records decided and not yet durable, by log", "log", lags)
        yield _counter("commits", "appends made durable, by log", "log", {owner.log: owner.commits for owner in owners})
        yield _counter("inert", "commands set aside by a defect, by log", "log", {own.log: own.inert for own in owners})

    def _edges(self) -> Iterator[Metric]:
        hub, counters = self._gateway.hub, self._gateway.counters
        customers = sum(map(len, hub.customers_of.values()))
        sockets = {"customer": customers, "operator": len(hub.desks)}
        sockets["other"] = len(hub.sessions) - sum(sockets.values())
        outcomes = {what[8:]: count for what, count in counters.items() if what.startswith("webhook_")}
        webhooks = {"taken": self._gateway.webhooks_taken} | outcomes
        refused = {what: count for what, count in counters.items() if not what.startswith("webhook_")}
        yield _gauge("sockets", "open sockets, by whose they are", "of", sockets)
        yield _counter("webhooks", "webhooks and their messages that were not stored, by outcome", "outcome", webhooks)
        yield _counter("refused", "frames and requests that were refused, by reason", "reason", refused)


def _gauge(name: str, told: str, label: str, values: Mapping[str, float]) -> Metric:
    family = GaugeMetricFamily(f"chatcore_{name}", told, labels=[label])
    for value, count in values.items():
        family.add_metric([value], count)
    return family


def _counter(name: str, told: str, label: str, values: Mapping[str, float]) -> Metric:
    family = CounterMetricFamily(f"chatcore_{name}", told, labels=[label])
    for value, count in values.items():
        family.add_metric([value], count)
    return family


async def metrics(call: Call) -> bytes:
    """Metrics in Prometheus' text format; without a token on a core that listens on loopback only."""
    registry = CollectorRegistry()
    ProcessCollector(registry=registry)
    registry.register(CoreCollector(call.gateway))
    return generate_latest(registry)
