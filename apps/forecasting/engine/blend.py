"""The plain mean of several trained models, its totals drawn to Theta's: errors differ, and what differs cancels.

Day-by-day trees know the rhythm of days and events, week-by-week trees the slow sellers; neither is best at every
origin. Equal weights, since weights fitted on a few past weeks were seen to follow their luck.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from apps.forecasting.engine.base import Artifact, ArtifactError, OnProgress, Panel
from apps.forecasting.engine.grid import WEEK
from apps.forecasting.engine.models import model_class
from apps.forecasting.engine.reasons import EVERY, TOTALS, Reasons, SomeRows
from apps.forecasting.engine.totals import drawn_to_totals
from apps.forecasting.engine.trained import Grown, Trained

Floats = NDArray[np.float32]


@dataclass(eq=False)
class Blended:
    """What each member grew, with the member that grew it."""

    members: Mapping[str, Trained]
    grown: Mapping[str, Grown]
    to_totals: float

    def daily_means(self, panel: Panel, days: int) -> Floats:
        """Return the mean of what the members answer, drawn to the totals of groups of series."""
        answers = [grown.daily_means(panel, days) for grown in self.grown.values()]
        mean: Floats = np.mean(answers, axis=0, dtype=np.float32)
        return drawn_to_totals(panel, mean, self.to_totals)

    def reasons(self, panel: Panel, days: int, rows: SomeRows = EVERY) -> Reasons:
        """Return the mean of the members' reasons, and what drawing to the totals of groups adds."""
        mean = Reasons.mean([grown.reasons(panel, days, rows) for grown in self.grown.values()])
        own = np.sum([mean.base, *mean.parts.values()], axis=0)
        drawn = self.daily_means(panel, days)[rows].sum(axis=1, dtype=np.float64)
        return Reasons(mean.base, {**mean.parts, TOTALS: drawn - own})

    def files(self) -> Artifact:
        """Return every member's files, each named after its member."""
        return {f"{name}.{file}": content
                for name, grown in self.grown.items() for file, content in grown.files().items()}  # fmt: skip

    def settings(self) -> dict[str, Any]:
        """Return what each member has to know."""
        return {"members": {name: {**grown.settings(), "parameters": self.members[name].parameters()}
                            for name, grown in self.grown.items()}}  # fmt: skip


@dataclass(eq=False)
class Blend(Trained):
    """The mean of `members`, tried and spread as one model.

    members    names of models that are trained
    to_totals  how far the totals of groups of series are drawn to Theta's, 0 to 1
    options    name -> what that member is made with, beside the defaults
    """

    name: ClassVar[str] = "blend"
    family: ClassVar[str] = "ensemble"
    complexity: ClassVar[int] = 20
    minimum_days: ClassVar[int] = 14 * WEEK

    members: Sequence[str] = ("lightgbm", "lightgbm_daily")
    to_totals: float = 1 / 3
    options: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)

    def grow(self, panel: Panel, thin: int, on_progress: OnProgress) -> Blended:
        """Grow every member, one after another."""
        members, grown = self._members(), {}
        for place, (name, member) in enumerate(members.items()):

            def told(done: float, words: str, place: int = place) -> None:
                on_progress((place + done) / len(members), words)

            grown[name] = member.grow(panel, thin, told)
        return Blended(members, grown, self.to_totals)

    def _members(self) -> dict[str, Trained]:
        made = {}
        for name in self.members:
            kind = model_class(name)
            if not issubclass(kind, Trained):
                raise TypeError(f"{name} is not a model that is trained: it cannot be a member of a blend.")
            made[name] = kind(threads=self.threads, seed=self.seed, **self.options.get(name, {}))
        return made

    @classmethod
    def read(cls, files: Mapping[str, bytes], settings: Mapping[str, Any]) -> Blended:
        """Return what `Blended` told of each member."""
        members, grown = {}, {}
        for name, told in settings["members"].items():
            kind = model_class(name)
            if not issubclass(kind, Trained):
                raise ArtifactError(f"The artifact of {cls.name} has a member {name} that is never trained.")
            own = {file.removeprefix(f"{name}."): content for file, content in files.items()
                   if file.startswith(f"{name}.")}  # fmt: skip
            members[name], grown[name] = kind(**told["parameters"]), kind.read(own, told)
        return Blended(members, grown, settings["parameters"]["to_totals"])
