"""Metrics: what Prometheus is told is what the core's state says at that moment."""

from pathlib import Path

from prometheus_client.parser import text_string_to_metric_families

from chatcore.edges.metrics import MEDIA
from tests.chatcore.client import Client, update
from tests.chatcore.cores import inside, play, telegram
from tests.chatcore.scenes import owned

ACCOUNTS = [
    {"id": "web", "channel": "web", "bot": "keywords"},
    {"id": "app", "channel": "app", "department": "cards"},
    telegram("http://127.0.0.1:9", bot="keywords"),
]


async def scraped(client: Client) -> dict[tuple[str, ...], float]:
    """Every sample of the core by name and its label's value, with the families' types checked against the names."""
    async with client.http.get(f"{client.url}/metrics") as answer:
        assert (answer.status, answer.headers["Content-Type"]) == (200, MEDIA)
        text = await answer.text()
    families = [found for found in text_string_to_metric_families(text) if found.name.startswith("chatcore_")]
    assert all(
        (found.type == "counter") == found.samples[0].name.endswith("_total") for found in families if found.samples
    )
    assert all(found.documentation for found in families)
    return {
        (sample.name.removeprefix("chatcore_"), *sample.labels.values()): sample.value
        for found in families
        for sample in found.samples
    }


def test_metrics_say_what_there_is() -> None:
    """Messages, dialogs, queues, operators, replies, sockets, refusals and webhooks are counted; no log lags."""

    async def acts() -> None:
        async with inside(accounts=ACCOUNTS) as core:
            client = core.client
            desk = await client.desk("o1", presence="online")
            customer, _ = await owned(client, "web/u1", desk)
            await (await client.customer("app/u2")).say("c1", "who is there?")
            for number, text in ((1, "balance"), (2, None)):
                assert await client.webhook(update(number, text)) == (200, {})
            assert (await client.webhook(update(3), secret="wrong"))[0] == 401
            await customer.send(op="nonsense")
            await customer.until(op="refused")
            assert (await client.rest("PUT", "/v1/blocked/tg/77"))[0] == 200
            found = await scraped(client)
            logs = {
                sample: value for sample, value in found.items() if sample[0].startswith(("log_", "commits", "inert"))
            }
            assert {sample: value for sample, value in found.items() if sample not in logs} == {
                ("messages_total", "web"): 1, ("messages_total", "app"): 1, ("messages_total", "tg"): 2,
                ("closed_total", "blocked"): 1,
                ("dialogs", "bot"): 0, ("dialogs", "queued"): 1, ("dialogs", "offered"): 0, ("dialogs", "assigned"): 1,
                ("dialogs", "on_hold"): 0, ("dialogs", "callback"): 0,
                ("waiting", "cards"): 1, ("waiting", "general"): 0,
                ("operators", "online"): 1, ("operators", "lost"): 0, ("operators", "away"): 0,
                ("operators", "offline"): 2, ("unsettled_replies",): 1, ("blocked_contacts",): 1,
                ("sockets", "customer"): 2, ("sockets", "operator"): 1, ("sockets", "other"): 0,
                ("webhooks_total", "taken"): 1, ("webhooks_total", "ignored"): 1, ("webhooks_total", "secret_wrong"): 1,
                ("refused_total", "bad_frames"): 1,
            }  # fmt: skip
            owners = core.core.owners
            assert logs == {
                **{("log_position", owner.log): owner.position for owner in owners},
                **{("log_lag_records", owner.log): 0 for owner in owners},
                **{("commits_total", owner.log): owner.commits for owner in owners},
                **{("inert_total", owner.log): 0 for owner in owners},
            }
            assert all(owner.commits > 2 for owner in owners)
            text = (Path(__file__).parents[2] / "ARCHITECTURE.md").read_text()
            assert [name for name, *_ in found if f"`chatcore_{name}" not in text] == [], "each is documented"

    play(acts)


def test_metrics_do_not_wait_for_a_journal_that_hangs() -> None:
    """While nothing becomes durable the metrics are answered, and show the lag."""

    async def acts() -> None:
        async with inside() as core:
            customer = await core.client.customer("web/u1")
            core.journal.hold()
            await customer.send(op="send", cid="c1", text="balance")
            await customer.send(op="send", cid="c2", text="balance")
            partition = core.core.partitions[0]
            position = partition.position
            while partition.position < position + 2:
                assert (await scraped(core.client))["log_lag_records", "dialogs-0"] <= 2
            assert (await scraped(core.client))["log_lag_records", "dialogs-0"] == 2
            core.journal.release()
            await customer.until(op="ack", cid="c2")
            assert (await scraped(core.client))["log_lag_records", "dialogs-0"] == 0

    play(acts)
