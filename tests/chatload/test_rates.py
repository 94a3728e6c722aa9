"""What a scenario amounts to in its peak hour: the plan's own rates, providers' events, and operators by Erlang A."""

from pathlib import Path

import pytest

from chatload.plan import make_plan
from chatload.run.rates import needed, rates, receipts_a_reply, spelled_out, target
from chatload.scenario import Scenario, load, shape_of, shipped
from chatreport.erlang import ErlangA

POST = load(str(Path(__file__).parents[1] / "end_to_end" / "post.toml")).scenario
TBANK, HALYK, CASHU = (load(name).scenario for name in ("tbank", "halyk", "cashu"))
RECEIPTS = {  # one reply's, of which eight of ten are read
    "telegram": 0.0, "max": 0.0, "email": 0.0, "phone": 0.0, "sms": 1.0, "vk": 1.8, "viber": 1.8, "infobip": 1.8,
    "messenger": 2.8, "whatsapp": 2.8,
}  # fmt: skip


@pytest.mark.parametrize("channel", RECEIPTS)
def test_receipts_of_a_reply(channel: str) -> None:
    """As many as its provider has statuses, less those who do not read."""
    assert receipts_a_reply(channel) == pytest.approx(RECEIPTS[channel])


@pytest.mark.parametrize("scenario", [TBANK, HALYK, POST], ids=["tbank", "halyk", "post"])
def test_the_rates_are_the_plans(scenario: Scenario) -> None:
    """Starts, messages and how many are open, over ten peak hours of it."""
    hours, found = 10, rates(scenario)
    plan = make_plan(scenario, 1, "peak", 1.0, 60.0, hours * 60.0, 0.0, 50)
    open_s = sum(plan.expected_ms(dialog) for dialog in plan.dialogs) / 1000
    per_s = [len(plan.dialogs), plan.messages, open_s]
    assert [found.starts, found.messages, found.open] == pytest.approx([n / 3600 / hours for n in per_s], rel=0.08)


def test_what_providers_post() -> None:
    """Halyk has none; T-Bank's messengers have 35 % of the dialogs, without a bot; a call is three events.

    Of what is asked 12 % comes in 2.3 messages. One is asked to rate an operator, and a quarter do; the request has
    receipts like a reply, the rating none.
    """
    assert rates(HALYK)[3:] == (0.0, 0.0)
    starts, turns = 3000 / 3600, 1 + shape_of(TBANK).operator_turns
    receipts = starts * (turns + 1) * (0.05 * 2.8 + 0.09 * 1.8 + 0.09 * 1.8)
    events = starts * 0.35 * (turns * (1 + 0.12 * 1.3) * 1.04 + 0.25 * 1.02)
    assert rates(TBANK)[3:] == pytest.approx((events + receipts, receipts))
    phone = POST.channels.calls()
    assert phone is not None
    called = POST.volume.dialogs_per_day * POST.volume.peak_hour_share / 3600 * phone.share
    assert rates(POST)[3:] == pytest.approx((3 * called, 0.0))


NOTICES = {  # receipts a second of what the bank sends of its own accord, besides what is answered
    "alfabank_kz": 583 * 0.1 / 3600,
    "chat2desk": (3000 + 0.7 * 2000) * 0.1 / 3600 * RECEIPTS["whatsapp"],
}


@pytest.mark.parametrize("name", NOTICES)
def test_what_providers_post_is_the_plans(name: str) -> None:
    """Bursts are more messages and no more answers; automatic texts, notices and who shows who they are count."""
    scenario = load(name).scenario
    plan = make_plan(scenario, 1, "peak", 1.0, 60.0, 10 * 60.0, 0.0, 50)
    dialogs = [dialog for dialog in plan.dialogs if dialog.channel not in ("web", "sms")]
    said = 1.04 * sum(len(dialog.turns) for dialog in dialogs) + 1.02 * sum(bool(dialog.rating) for dialog in dialogs)
    greets, more = (True, 3) if scenario.replies is not None else (False, 1)  # to wait, good bye, and to rate
    sent = [
        RECEIPTS[dialog.channel] * (len(list(dialog.bursts())) + greets + (0 if dialog.contained else more))
        for dialog in dialogs
    ]
    answered = sum(notice.answered * len([d for d in dialogs if d.channel == notice.channel])
                   * RECEIPTS[notice.channel] for notice in scenario.notices)  # fmt: skip
    found = rates(scenario)
    assert found.receipts == pytest.approx(NOTICES[name] + (sum(sent) + answered) / 36_000, rel=0.06)
    assert found.webhooks - found.receipts == pytest.approx(said / 36_000, rel=0.06)


@pytest.mark.parametrize("name", sorted(shipped()))
def test_no_fewer_operators_would_do(name: str) -> None:
    """With one operator's places less, Erlang A misses the service level."""
    scenario = load(name).scenario
    shape, found, (share, within_s, _) = shape_of(scenario), needed(scenario), target(scenario)
    per_s = rates(scenario).starts * (1 - shape.mix.get("phone", 0.0)) * (1 - shape.contained)
    reached = [
        100 * ErlangA(per_s, shape.operator_ms / 1000, scenario.patience.queue / 1000, places).served_within(within_s)
        for places in (found.writing * scenario.operators.slots, (found.writing - 1) * scenario.operators.slots)
        if places
    ]
    assert reached[0] >= share
    assert all(less < share for less in reached[1:])


def test_the_service_level_is_the_published_one() -> None:
    """Or the usual, which the words say."""
    published = CASHU.model_copy(update={"published": {"service_level_60s": 90.0}})
    everybody = CASHU.model_copy(update={"published": {"service_level_20s": 100.0}})
    usual = (80.0, 20.0, "assumed here")
    assert (target(published), target(TBANK), target(everybody)) == ((90.0, 60.0, "published"), usual, usual)
    assert target(CASHU) == (80.0, 20.0, "published")
    assert needed(published).calling >= 1
    assert needed(TBANK).calling == 0
    cashu, tbank = (" ".join(spelled_out(load(name))) for name in ("cashu", "tbank"))
    assert "80 % served within 20 s (published) asks for 1 operator for those who write and 4 for the calls" in cashu
    assert "(assumed here) asks for 1" in tbank
