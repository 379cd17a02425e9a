"""The judges: forecasts and decisions against what happened, earlier plans made again, and the proof in money."""

from apps.feedback.pipeline.judge import judge_tenant
from apps.feedback.pipeline.proof import prove_tenant
from apps.feedback.pipeline.replay import replay_tenant

__all__ = ["judge_tenant", "prove_tenant", "replay_tenant"]
