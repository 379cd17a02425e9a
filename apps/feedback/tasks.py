"""The kinds of job that the judges carry out."""

from django.utils.translation import gettext_lazy as _

from apps.jobs.kinds import Kind, Precedence, declare

declare(Kind("feedback.judge", title=_("Judge forecasts and decisions"),
             handler="apps.feedback.pipeline.judge:judge_tenant"))
declare(Kind("feedback.replay", title=_("Make earlier weekly plans again"),
             handler="apps.feedback.pipeline.replay:replay_tenant", queue="batch", precedence=Precedence.LATER))
declare(Kind("feedback.proof", title=_("Prove the advice in money"),
             handler="apps.feedback.pipeline.proof:prove_tenant", queue="batch", precedence=Precedence.LATER))
