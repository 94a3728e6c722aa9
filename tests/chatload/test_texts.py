"""Words: deterministic, of the drawn length, and understood by the bot exactly as the turn means them."""

import pytest

from chatload.plan import Plan, make_plan
from chatload.scenario import Scenario, load


def plan_of(name: str) -> tuple[Scenario, Plan]:
    scenario = load(name).scenario
    return scenario, make_plan(scenario, 1, "peak", 1, 60, 10, 2, 12)


@pytest.mark.parametrize("name", ["smoke", "tbank"])
def test_the_bot_understands_each_text_as_the_turn_means_it(name: str) -> None:
    """A bot turn holds a keyword and no hand-over word; a hand-over turn the reverse; the rest neither."""
    scenario, plan = plan_of(name)
    keywords = [word for answer in scenario.bot.answers for word in answer.keywords]
    meant = {"bot": (True, False), "handover": (False, True), "operator": (False, False), "more": (False, False)}
    for dialog in plan.dialogs[:400]:
        for position, turn in enumerate(dialog.turns):
            text = plan.text(dialog.index, position).lower()
            understood = any(word in text for word in keywords), any(word in text for word in scenario.bot.handover)
            assert understood == meant[turn.to], text


def test_texts_have_their_length_unless_the_needed_word_is_longer() -> None:
    """Neither side's words are stripped by a platform that trims blanks."""
    _, plan = plan_of("tbank")
    for dialog in plan.dialogs[:400]:
        for position, turn in enumerate(dialog.turns):
            reply = plan.reply(dialog.index, position)
            text, answer = plan.text(dialog.index, position), plan.answer_text(dialog.index, position, reply)
            assert len(text) == turn.length or (turn.to != "operator" and turn.length < len(text) < 30)
            assert len(answer) == reply.length
            assert text == text.strip()
            assert answer == answer.strip()


def test_texts_are_in_two_scripts() -> None:
    """A platform that cannot keep Cyrillic, quotes, tags or an emoji is found out."""
    _, plan = plan_of("tbank")
    all_words = "".join(plan.text(d.index, 0) for d in plan.dialogs)
    for piece in ("ж", "why", '"', "<b>", "🙂", "\\", "—"):
        assert piece in all_words
