"""What makes plans and decides on them."""

from apps.inventory.services import OddLot, ReasonMissing
from apps.optimization.services.decisions import (
    Choice,
    Decided,
    NotOpen,
    decide,
    decide_edited,
    decide_many,
    dismiss,
    dismiss_many,
    reopen,
)
from apps.optimization.services.planning import Cash, Inputs, Note, Rules, Solved, prepare, solve
from apps.optimization.services.plans import request_plan, save_plan

__all__ = [
    "Cash",
    "Choice",
    "Decided",
    "Inputs",
    "NotOpen",
    "Note",
    "OddLot",
    "ReasonMissing",
    "Rules",
    "Solved",
    "decide",
    "decide_edited",
    "decide_many",
    "dismiss",
    "dismiss_many",
    "prepare",
    "reopen",
    "request_plan",
    "save_plan",
    "solve",
]
