"""The plan of a run: pure, complete before anything starts, the same in every process that asks."""

from chatload.plan.model import Attachment, BotSays, Call, Destination, Dialog, Rating, Reply, Turn
from chatload.plan.roster import Post, Stint
from chatload.plan.schedule import Plan, make_plan

__all__ = [
    "Attachment",
    "BotSays",
    "Call",
    "Destination",
    "Dialog",
    "Plan",
    "Post",
    "Rating",
    "Reply",
    "Stint",
    "Turn",
    "make_plan",
]
