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
from apps.optimization.services.planning import Cash, Facts, Inputs, Note, Rules, Solved, prepare, solve
from apps.optimization.services.plans import request_plan, save_plan
from apps.optimization.services.scenarios import (
    CannotTry,
    Side,
    changed_facts,
    delete_scenario,
    make_scenario,
    run_scenario,
    save_scenario,
)

__all__ = [
    "CannotTry",
    "Cash",
    "Choice",
    "Decided",
    "Facts",
    "Inputs",
    "NotOpen",
    "Note",
    "OddLot",
    "ReasonMissing",
    "Rules",
    "Side",
    "Solved",
    "changed_facts",
    "decide",
    "decide_edited",
    "decide_many",
    "delete_scenario",
    "dismiss",
    "dismiss_many",
    "make_scenario",
    "prepare",
    "reopen",
    "request_plan",
    "run_scenario",
    "save_plan",
    "save_scenario",
    "solve",
]
