"""The bot: how many it served alone. What tells a customer on hold to wait is no answer of a bot's."""

from typing import Final

from chatreport.grouping import Mask
from chatreport.kpi.definition import PERCENT, Definition, Figure, Ratio
from chatreport.kpi.handling import OPEN
from chatreport.kpi.ratings import bad
from chatreport.kpi.sample import Sample

SERVED: Final = "closed dialogs that the bot answered, before the queue"
ALONE: Final = f"{SERVED}, and that never entered it"


def _served(sample: Sample) -> Mask:
    served: Mask = (sample.dialogs.bot_messages > 0) & sample.dialogs.closed
    return served


def _alone(sample: Sample) -> Mask:
    alone: Mask = _served(sample) & (sample.dialogs.queued_at < 0)
    return alone


def _content(sample: Sample) -> Mask:
    """Whose customer did not give up, nor complain by a bad rating."""
    content: Mask = _alone(sample) & sample.dialogs.completed & ~bad(sample)
    return content


def _share(part: Mask, whole: Mask) -> Ratio:
    return Ratio(int(part.sum()), int(whole.sum()))


FIGURES: Final[dict[str, Figure]] = {
    "bot_containment": Figure(
        Definition("Bot containment", PERCENT, ALONE, SERVED, left_out=OPEN),
        lambda s: _share(_alone(s), _served(s)),
    ),
    "bot_containment_content": Figure(
        Definition("Bot containment, without complaint", PERCENT, f"{ALONE}; their customer came to the end, and did "
                   "not rate them badly", SERVED, left_out=OPEN),
        lambda s: _share(_content(s), _served(s)),
    ),
    "bot_share": Figure(
        Definition("Served by the bot alone", PERCENT, ALONE, "closed dialogs, of channels without a bot, too",
                   left_out=OPEN),
        lambda s: _share(_alone(s), s.dialogs.closed),
    ),
}  # fmt: skip
