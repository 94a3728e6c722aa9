"""What a run will amount to, in words: for `--dry-run`, before anything starts."""

from typing import Final

from chatload.draws import Draws
from chatload.plan import Plan
from chatload.plan.hostile import attacks
from chatload.plan.notices import letters
from chatload.run.directory import planned
from chatload.run.settings import Settings, files_needed, most_open
from chatload.scenario import spoken

ROWS_A_MESSAGE: Final = 3.6  # sent, stored, seen by the other side; entries of the bot, the queue and the desk
BYTES_A_ROW: Final = 133


def forecast(settings: Settings, plan: Plan) -> list[str]:
    """Lines for people; nothing is started for them."""
    scenario, figures = settings.file.scenario, planned(plan)
    dialogs, hours = figures["dialogs"], settings.duration_s * settings.speed / 3600
    business_s, wall_s = max(hours * 3600, 1e-9), settings.duration_s
    per_wall_s = plan.messages / (settings.ramp_s + wall_s)
    total_s = settings.ramp_s + wall_s + settings.drain_s
    open_most = most_open(plan)
    played, published = scenario.channels.played(), scenario.channels.published()
    rows = plan.messages * ROWS_A_MESSAGE
    main_messages = sum(map(plan.expected_messages, plan.main))
    shared = f", shared by {settings.workers:,} workers" if settings.workers > 1 else ""
    return [
        f"{settings.file.name}: {scenario.title}",
        f"  part        {settings.part}: {hours:.2f} business hours at load {settings.load:g}, {len(played)} of"
        f" {len(published)} channels ({', '.join(played)})",
        f"  time        {settings.ramp_s:.0f} s ramp + {wall_s:.0f} s + up to {settings.drain_s:.0f} s drain ="
        f" {total_s:.0f} s of wall time, {settings.speed:g} times faster than life",
        f"  dialogs     {dialogs:,} start ({dialogs / business_s:.2f}/s of business time,"
        f" {dialogs / wall_s:.1f}/s of wall time), {figures['ramp_dialogs']:,} are open at the start,"
        f" at most {open_most:,} at once",
        f"  a dialog    {main_messages / max(dialogs, 1):.1f} messages, {figures['mean_dialog_s'] / 60:.1f} min;"
        f" the bot keeps {100 * figures['contained'] / max(dialogs, 1):.0f} %",
        f"  messages    {plan.messages:,} of both sides, {per_wall_s:,.0f}/s of wall time{shared}",
        *_habits(plan),
        f"  operators   {plan.operators:,} with {plan.slots} dialogs each" + _attendance(plan),
        f"  this machine about {rows * BYTES_A_ROW / 2**20:,.0f} MB of ledger ({rows:,.0f} rows),"
        f" {files_needed(plan.operators + plan.staff.hired, open_most):,} open files a process",
        *_notices(settings, plan),
        *_strangers(settings, plan),
        f"  objectives  {'; '.join(settings.objectives) or 'none'}",
    ]


def _habits(plan: Plan) -> list[str]:
    """Who comes back, what is written at once, and what is no text; nothing where the scenario has none of it."""
    turns = [turn for dialog in plan.dialogs for turn in dialog.turns]
    at_once, files = sum(turn.to == "more" for turn in turns), sum(turn.attachment is not None for turn in turns)
    back = sum(dialog.person is not None for dialog in plan.dialogs)
    if not (at_once or files or back):
        return []
    return [
        f"  customers   {back:,} of them come back, {at_once:,} messages follow at once on another, {files:,} are files"
    ]


def _attendance(plan: Plan) -> str:
    """How many of the operators are on duty at a time, unless it is all of them, and who joins in a surge."""
    people, staff, said = plan.scenario.operators, plan.staff, ""
    if people.shifts or people.breaks:
        said = ", {:,} to {:,} of them on duty".format(*staff.on_duty())
    surge = plan.scenario.surge
    if staff.hired and surge is not None:
        said += (
            f"; {staff.hired:,} more join from {spoken(surge.after)} of business time on, within {spoken(surge.over)}"
        )
    return said


def _notices(settings: Settings, plan: Plan) -> list[str]:
    scenario, draws = settings.file.scenario, Draws(settings.seed)
    found = letters(scenario, draws, settings.part, settings.load, plan.horizon_ms, plan.dialogs)
    refused = sum(not letter.may for letter in found)
    return [f"  notices     {len(found):,}, {refused:,} of them to be refused"] if scenario.notices else []


def _strangers(settings: Settings, plan: Plan) -> list[str]:
    planned = attacks(settings.file.scenario, Draws(settings.seed), plan.horizon_ms)
    hostile = settings.file.scenario.hostile
    if hostile is None:
        return []
    requests = sum(hostile.flood if attack.kind == "flood" else 1 for attack in planned)
    return [f"  strangers   {len(planned):,} attempts to get in, {requests:,} requests"]
