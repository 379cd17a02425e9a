"""The clock and the night: what beat rings, and the job kinds of the nightly chain in their order."""

from typing import Any

NIGHT: tuple[str, ...] = ("sales.refresh", "inventory.unsent", "feedback.judge", "forecasting.forecast",
                          "optimization.plan", "portal.refresh", "feedback.proof", "forecasting.renew")
# What a file that brought something new leads to, in a shop that is no demo.
AFTER_IMPORT: tuple[str, ...] = ("sales.refresh", "forecasting.forecast", "optimization.plan", "portal.refresh",
                                 "forecasting.renew")
AFTER_CORRECTION = AFTER_IMPORT[1:]  # of a single sale, which brings its own day in step
# And in a shop that has not sold anything yet, of which there is nothing to forecast.
BEFORE_SALES: tuple[str, ...] = ("portal.refresh",)
# A contest of models, what its winner changes, and what else past orders tell. The first one is followed by what advice
# would have done: a shop has its first recommendations by then, and nothing that anyone waits for.
CONTEST: tuple[str, ...] = ("forecasting.backtest", "forecasting.forecast", "optimization.plan", "portal.refresh",
                            "forecasting.mine", "forecasting.backtest_lstm", "forecasting.tune")
FIRST_CONTEST: tuple[str, ...] = ("forecasting.backtest", "forecasting.forecast", "optimization.plan", "portal.refresh",
                                  "feedback.replay", "feedback.proof", "forecasting.mine", "forecasting.backtest_lstm",
                                  "forecasting.tune")
NIGHT_HOUR = 2  # by the tenant's own clock

# A ring that waited longer than its own period says nothing that the next one does not say: it expires.
BEAT: dict[str, dict[str, Any]] = {
    "sweep": {"task": "jobs.sweep", "schedule": 15.0, "options": {"queue": "light", "expires": 15}},
    "tick": {"task": "jobs.tick", "schedule": 300.0, "options": {"queue": "light", "expires": 300}},
}
