"""A scenario in plain words, with what follows from its figures."""

import math
from statistics import NormalDist

from chatload.scenario.load import ScenarioFile
from chatload.scenario.model import Scenario
from chatload.scenario.people import Operators
from chatload.scenario.shape import MS_PER_MIN, Shape, react_ms, shape_of
from chatload.scenario.units import shown_clock, spoken


def explain(file: ScenarioFile) -> list[str]:
    """Paragraphs for people."""
    return [*_demand(file), *_a_dialog(file), *_habits(file), *_a_call(file), *_floor(file), *_surge(file), *_run(file)]


def _per_s(file: ScenarioFile) -> float:
    """Starts a second in the peak hour."""
    volume = file.scenario.volume
    return volume.dialogs_per_day * volume.peak_hour_share / 3600


def _demand(file: ScenarioFile) -> list[str]:
    scenario, mix, per_s = file.scenario, shape_of(file.scenario).mix, _per_s(file)
    volume, published = scenario.volume, scenario.channels.published()
    shares = ", ".join(f"{name} {100 * share:.3g} %" for name, share in mix.items())
    missing = [name for name in published if name not in mix]
    not_played = f" ({', '.join(missing)} cannot be played yet; their share goes to the others)" if missing else ""
    return [
        f"{file.name}: {scenario.title}. Source: {scenario.source}.",
        f"A day brings {volume.dialogs_per_day:,.0f} dialogs; {100 * volume.peak_hour_share:.0f} % of them start in the"
        f" peak hour: {3600 * per_s:,.0f}, or {per_s:.2g} a second. Starts are random (Poisson): {60 * per_s:.3g} a"
        f" minute on average, and {_busiest(60 * per_s):,.0f} in the busiest minute of an hour.",
        f"Channels: {shares}; {len(mix)} of the bank's {len(published)}{not_played}.",
    ]


def _busiest(mean: float) -> float:
    """What one minute in sixty exceeds: Poisson's quantile, by the normal law with its mean and variance."""
    return mean + NormalDist().inv_cdf(1 - 1 / 60) * math.sqrt(mean)


def _written_per_s(file: ScenarioFile) -> float:
    """The same of those in which people write."""
    return _per_s(file) * (1 - shape_of(file.scenario).mix.get("phone", 0.0))


def _a_dialog(file: ScenarioFile) -> list[str]:
    scenario, shape, per_s = file.scenario, shape_of(file.scenario), _written_per_s(file)
    dialog, lasts = scenario.dialog, spoken(scenario.dialog.duration)
    return [
        f"A dialog has {dialog.messages:g} messages of both sides and lasts {lasts} on average, so about"
        f" {_rounded(per_s * dialog.duration / 1000)} are open at once and {per_s * dialog.messages:.3g} messages a"
        " second are written.",
        f"{_kept(scenario, shape)} reach an operator and ask {1 + shape.operator_turns:.1f} times there.",
        f"Customers write {dialog.length:g} characters and think {shape.thinking_ms / 1000:.0f} s before they do (what"
        f" reading, typing and the operators leave of the {lasts}).",
    ]


def _kept(scenario: Scenario, shape: Shape) -> str:
    if not shape.contained:
        return "The bot keeps none of these: all"
    turns = f"{scenario.bot.turns_contained:g} question{'s' * (scenario.bot.turns_contained != 1)}"
    return f"The bot keeps {100 * shape.contained:.0f} % of these ({turns} each); the others"


def _rounded(value: float) -> str:
    """Whole, or of a small number two digits."""
    return f"{value:,.0f}" if value >= 10 else f"{value:.2g}"


def _habits(file: ScenarioFile) -> list[str]:
    """What customers do besides writing one text after the other."""
    dialog, back = file.scenario.dialog, file.scenario.returning
    said = []
    if dialog.bursts is not None:
        said.append(
            f"{100 * dialog.bursts.share:.0f} % of what they ask operators comes in {dialog.bursts.messages:.3g}"
            " messages at once, 50 to 200 ms apart, and gets one answer."
        )
    if dialog.attachment_share:
        said.append(
            f"{100 * dialog.attachment_share:.0f} % of their messages to operators are images and documents, but over"
            " SMS."
        )
    if back is not None:
        said.append(
            f"{100 * back.share:.0f} % of the dialogs in which people write are begun by somebody who has had one,"
            f" {spoken(back.after)} after it was over on average; of a short run fewer, for nobody comes back from"
            " before it."
        )
    return said


def _a_call(file: ScenarioFile) -> list[str]:
    phone, per_s = file.scenario.channels.calls(), _per_s(file) - _written_per_s(file)
    if phone is None:
        return []
    return [
        f"The phone rings {3600 * per_s:,.0f} times in the peak hour. A call takes all places of its operator and lasts"
        f" {spoken(phone.talk)} on average, so {_talking(file):,.1f} operators are talking at once. Callers wait"
        f" {spoken(phone.patience)} on average before they give up; {100 * phone.again:.0f} % of these call again after"
        f" {spoken(phone.again_after)}, the others are called back."
    ]


def _talking(file: ScenarioFile) -> float:
    """Operators in a call, on average."""
    phone = file.scenario.channels.calls()
    return (_per_s(file) - _written_per_s(file)) * phone.talk / 1000 if phone else 0.0


def _floor(file: ScenarioFile) -> list[str]:
    scenario, shape = file.scenario, shape_of(file.scenario)
    people, patience = scenario.operators, scenario.patience
    there = people.on_duty(scenario.volume.peak_hour)
    places = there * people.count * people.slots
    taken = _written_per_s(file) * (1 - shape.contained) * shape.operator_ms / 1000
    taken += _talking(file) * people.slots
    return [
        f"{people.count:,} operators hold up to {people.slots} dialogs each; one holds a dialog for"
        f" {shape.operator_ms / MS_PER_MIN:.1f} min and needs {react_ms(scenario) / 1000:.0f} s for an answer,"
        f" and at the end {spoken(people.wrap_up)} of after-work. On"
        f" average {_rounded(taken)} of {places:,.0f} places {_are_taken(taken, places)}",
        *_attendance(people, scenario.volume.peak_hour),
        *(["How long they take to close is exponential."] if people.wrap_up_law == "exponential" else []),
        f"Those who write wait {spoken(patience.queue)} for an operator on average before they leave;"
        f" {100 * patience.silent:.0f} % of those who leave do so without a word, and in messengers and mails all of"
        " them.",
        *_menu(file),
        *_ratings(file),
        *_replies(file),
        *_authentication(file),
        *_notices(file),
        *_hostile(file),
    ]


def _are_taken(taken: float, places: float) -> str:
    if taken <= places:
        return f"are taken ({100 * taken / places:.0f} %)." if places else "are taken."
    more = f" ({100 * taken / places:.0f} %)" if places else ""
    return f"would be taken{more}: more than there are, so customers wait, and some leave."


def _attendance(people: Operators, peak_hour: int) -> list[str]:
    """When they are there, unless they are there throughout."""
    said = []
    if people.shifts:
        shifts = ", ".join(
            f"{100 * shift.share:.0f} % from {shown_clock(shift.begin)} to {shown_clock(shift.end)}"
            f" (then up to {spoken(shift.overtime)} more for dialogs at hand)"
            for shift in people.shifts
        )
        off = f"; {100 * people.day_off:.0f} % have a day off" if people.day_off else ""
        said.append(f"Of these work {shifts}{off}.")
    if people.breaks is not None:
        said.append(
            f"In turns they have a break of {spoken(people.breaks.duration)} every {spoken(people.breaks.every)}."
        )
    if said:
        share = people.on_duty(peak_hour)
        said.append(f"So {share * people.count:,.0f} of them are on duty in the peak hour, from {peak_hour:02}:00.")
    return [" ".join(said)] if said else []


def _surge(file: ScenarioFile) -> list[str]:
    surge, people = file.scenario.surge, file.scenario.operators
    if surge is None:
        return []
    share = people.on_duty(file.scenario.volume.peak_hour)
    return [
        f"The part surge is the peak part in which {surge.load:g} times as many dialogs start from"
        f" {spoken(surge.after)} on; within {spoken(surge.over)} operators join, until {people.count:,} have become"
        f" {surge.operators:,}; of these {share * surge.operators:,.0f} are on duty then."
    ]


def _menu(file: ScenarioFile) -> list[str]:
    menu = file.scenario.bot.menu
    if menu is None:
        return []
    lines = [f"{line.name} ({line.department or line.topic})" if line.topic else line.name for line in menu.lines]
    return [
        f"The bot has a menu: {', '.join(lines)}. It comes up where nothing else is asked for. By the number of a line,"
        f" {100 * menu.walks:.0f} % of the customers choose from it on the website and in the app,"
        f" {100 * menu.walks_in_messengers:.0f} % in messengers."
    ]


def _ratings(file: ScenarioFile) -> list[str]:
    asked = file.scenario.feedback
    if asked is None:
        return []
    shares = ", ".join(f"{asked.text(score)}: {weight:g}" for score, weight in enumerate(asked.scores, 1))
    return [f"{100 * asked.share:.0f} % of an operator's customers rate the dialog when they are asked to ({shares})."]


def _replies(file: ScenarioFile) -> list[str]:
    said = file.scenario.replies
    texts = [f"{event} «{text}»" for event, text in said.by_event().items()] if said is not None else []
    return [f"The platform says by itself: {'; '.join(texts)}."] if texts else []


def _authentication(file: ScenarioFile) -> list[str]:
    asked = file.scenario.authentication
    if asked is None:
        return []
    return [
        f"{100 * asked.share:.0f} % of the dialogs that the bot keeps are customers who ask for their balance: they"
        f" name their account, type a code that is mailed to them (read {spoken(asked.reads)} after it came;"
        f" {100 * asked.mistyped:.0f} % wrong at first), and are told. {100 * asked.guessed:.0f} % name somebody else's"
        " account, guess, and must not be told."
    ]


def _notices(file: ScenarioFile) -> list[str]:
    return [
        f"The bank sends the notice «{notice.name}» to {notice.per_day:,.0f} people a day on {notice.channel}"
        + (
            f", a broadcast: {100 * notice.consented:.0f} % agreed to it, the others must get none"
            if notice.broadcast
            else ""
        )
        + (f"; {100 * notice.answered:.0f} % of the channel's dialogs answer one" if notice.answered else "")
        + "."
        for notice in file.scenario.notices
    ]


def _hostile(file: ScenarioFile) -> list[str]:
    hostile = file.scenario.hostile
    if hostile is None:
        return []
    return [
        f"Strangers try to get in {hostile.per_s:g} times a second, with forged and broken webhooks, sockets and calls;"
        f" {100 * hostile.flood_share:.0f} % of these are floods of {hostile.flood:,}. The platform refuses one address"
        f" {hostile.allowed_per_s:g} requests a second, and then does not listen to it any more. None may take a place."
        " A simulation leaves them out: it has no doors."
    ]


def _run(file: ScenarioFile) -> list[str]:
    scenario = file.scenario
    messages_per_s = _written_per_s(file) * scenario.speed * scenario.dialog.messages
    return [
        f"Played {scenario.speed:g} times faster than life, the peak part takes"
        f" {scenario.peak / scenario.speed / 1000:.0f} s after a ramp of {scenario.ramp / scenario.speed / 1000:.0f} s,"
        f" with {messages_per_s:,.0f} messages a second.",
        f"Objectives: {'; '.join(objective.slo for objective in scenario.objectives) or 'none'}.",
    ]
