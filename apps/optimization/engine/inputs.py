"""Numbers handed over as arrays, and one plain sentence for each that cannot be calculated with."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from apps.optimization.engine.frames import Flags, Floats, InputError


class Numbers:
    """Collects what is wrong with named numbers; places are counted from 0."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.problems: list[str] = []

    def read(
        self,
        column: str,
        values: ArrayLike,
        *,
        least: float | None = None,
        above: float | None = None,
        below: float | None = None,
        whole: bool = False,
        dimensions: int = 1,
    ) -> Floats:
        """The values as floats of so many dimensions (fewer are filled up in front), their problems noted."""
        try:
            found = np.array(values, dtype=np.float64, ndmin=dimensions)
        except (TypeError, ValueError):
            self.problems.append(f"{self.name}: {column} holds something that is no number.")
            return np.ones((1,) * dimensions)
        if found.ndim > dimensions:
            self.problems.append(f"{self.name}: {column} has {found.ndim} dimensions; it must have {dimensions}.")
            return np.ones((1,) * dimensions)
        known = np.isfinite(found)
        self._say(~known, f"{column} is missing or no finite number")
        if least is not None:
            self._say(known & (found < least), f"{column} is below {least:g}")
        if above is not None:
            self._say(known & (found <= above), f"{column} is not above {above:g}")
        if below is not None:
            self._say(known & (found >= below), f"{column} is not below {below:g}")
        if whole:
            self._say(known & (found != np.rint(found)), f"{column} is no whole number")
        return found

    def demand(self, column: str, pmf: ArrayLike) -> Floats:
        """Chances [n, K] of demand 0 .. K - 1, a row per item, each row adding up to 1."""
        found = self.read(column, pmf, least=0, dimensions=2)
        if found.shape[1] == 0:
            self.problems.append(f"{self.name}: {column} holds no chance at all.")
            return np.ones((1, 1))
        self._say(np.abs(found.sum(axis=1) - 1) > 1e-9, f"the chances in {column} do not add up to 1")
        return found

    def alike(self, *columns: Floats) -> list[Floats]:
        """The columns [n], those of length 1 repeated; raises InputError with every problem found so far."""
        lengths = {len(column) for column in columns} - {1}
        if len(lengths) > 1:
            told = ", ".join(map(str, sorted(lengths)))
            self.problems.append(f"{self.name}: columns have different lengths ({told}).")
        self.raise_if_any()
        length = (lengths or {1}).pop()
        return [np.broadcast_to(column, (length, *column.shape[1:])) for column in columns]

    def raise_if_any(self) -> None:
        if self.problems:
            raise InputError(self.problems)

    def _say(self, wrong: Flags, words: str) -> None:
        count = int(wrong.sum())
        if count:
            place = ", ".join(str(part) for part in np.argwhere(wrong)[0])
            places = f"{count} places" if count > 1 else "1 place"
            self.problems.append(f"{self.name}: {words}" + (f" in {places} (first: {place})." if place else "."))
