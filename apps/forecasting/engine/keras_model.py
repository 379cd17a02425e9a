"""Recurrent networks over all series at once: the one door to Keras.

An LSTM or a GRU reads each series' last weeks; for each week ahead a small head sees what it made of them, the features
that the trees see, and the kind of item, and answers with a negative binomial: its mean, as a multiple of the series'
level, and its dispersion. Training stops early on the last weeks, which it never learns from; on the same weeks the
head's dispersion is calibrated so that sums over two weeks are as wide as they were.

Runs on any Keras 3 backend (`KERAS_BACKEND`; TensorFlow unless told otherwise). The same seed on the same machine gives
the same weights.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar, Self

import keras
import numpy as np
from keras import ops
from numpy.typing import NDArray

from apps.forecasting.engine import frames
from apps.forecasting.engine.base import (
    Artifact,
    ArtifactError,
    Forecast,
    Forecaster,
    Grid,
    NotFitted,
    OnProgress,
    Panel,
    read_arrays,
    read_json,
    silent,
    write_arrays,
    write_json,
)
from apps.forecasting.engine.calendar import weekdays
from apps.forecasting.engine.dispersion import SCALES, SUM_DAYS, day_dispersion, sold
from apps.forecasting.engine.distribution import negative_binomial_log_likelihood
from apps.forecasting.engine.features import Codes, Weeks, level, pooled_groups, rows_at
from apps.forecasting.engine.frames import NothingToLearn
from apps.forecasting.engine.grid import WEEK
from apps.forecasting.engine.reasons import EVERY, KIND, Reasons, SomeRows, in_units, theme_of
from apps.forecasting.engine.rhythm import weekday_profile, weekday_shares
from apps.forecasting.engine.weekly import AHEAD, FIRST_ORIGIN, KIND_LABELS

Floats = NDArray[np.float32]
Doubles = NDArray[np.float64]
Tensor = Any

HELD_OUT_WEEKS = 4
EMBEDDING_WIDTH = 8
PREDICT_BATCH = 4096
LARGEST_LOG_RATIO = 4.0
LEAST_DISPERSION = 1e-3
HEAD_FACTORS = np.geomspace(0.05, 3.0, 20)
REPORTS_PER_EPOCH = 20


@dataclass(frozen=True, eq=False)
class Windows:
    """What the network sees and is asked, one row per (series, origin).

    past    [w, lookback, channels] float32: sales as multiples of the level, availability, covariates, calendar
    rows    [w, 4, features] float32, one set of features for each week ahead
    columns what the features are called; channels what those of the past are, told apart like features (`theme_of`)
    kinds   [w, labels] int32, 0 for a kind that was not learned
    asked   [w, 4, 3] float32: units sold, level, and weight (0 where the answer is not known)
    """

    past: Floats
    rows: Floats
    kinds: NDArray[np.int32]
    asked: Floats
    columns: tuple[str, ...]
    channels: tuple[str, ...]

    def take(self, rows: NDArray[np.int64]) -> "Windows":
        """Return some of the windows."""
        return replace(
            self, past=self.past[rows], rows=self.rows[rows], kinds=self.kinds[rows], asked=self.asked[rows]
        )

    def inputs(self) -> dict[str, NDArray[Any]]:
        """Return the network's inputs by name."""
        return {"past": self.past, "rows": self.rows, "kinds": self.kinds}

    @staticmethod
    def joined(parts: list["Windows"]) -> "Windows":
        """Return windows one after the other."""
        return Windows(
            np.concatenate([part.past for part in parts]),
            np.concatenate([part.rows for part in parts]),
            np.concatenate([part.kinds for part in parts]),
            np.concatenate([part.asked for part in parts]),
            parts[0].columns,
            parts[0].channels,
        )


def log_gamma(value: Tensor) -> Tensor:
    """Return log Gamma of positive numbers by Stirling's series, shifted up four steps; Keras has no such function."""
    shifted = value + 4.0
    series = (shifted - 0.5) * ops.log(shifted) - shifted + 0.918938533 + 1.0 / (12.0 * shifted)
    return series - ops.log(value * (value + 1.0) * (value + 2.0) * (value + 3.0))


def negative_binomial_loss(asked: Tensor, answer: Tensor) -> Tensor:
    """Return the mean negative log likelihood of `asked` [.., 3] under `answer` [.., 2]: log ratio and dispersion."""
    units, usual, weight = asked[..., 0], asked[..., 1], asked[..., 2]
    mean = usual * ops.exp(answer[..., 0])
    size = 1.0 / answer[..., 1]
    likelihood = (
        log_gamma(units + size)
        - log_gamma(size)
        - size * ops.log1p(mean / size)
        + units * (ops.log(mean) - ops.log(mean + size))
    )
    return -ops.sum(likelihood * weight) / ops.maximum(ops.sum(weight), 1.0)


class Progress(keras.callbacks.Callback):
    """Tells of epochs and windows; what the listener raises stops the training."""

    def __init__(self, on_progress: OnProgress, layer: str, n_windows: int, batch: int, epochs: int) -> None:
        super().__init__()
        self.on_progress, self.layer = on_progress, layer
        self.n_windows, self.batch, self.epochs = n_windows, batch, epochs
        self.epoch = 0
        self.every = max(1, -(-n_windows // batch) // REPORTS_PER_EPOCH)

    def on_epoch_begin(self, epoch: int, logs: Mapping[str, float] | None = None) -> None:
        self.epoch = epoch

    def on_train_batch_end(self, batch: int, logs: Mapping[str, float] | None = None) -> None:
        if batch % self.every == 0:
            self.tell(min((batch + 1) * self.batch, self.n_windows))

    def on_epoch_end(self, epoch: int, logs: Mapping[str, float] | None = None) -> None:
        self.tell(self.n_windows)

    def tell(self, seen: int) -> None:
        """Report the epoch and how many of its windows were seen."""
        done = (self.epoch + seen / self.n_windows) / self.epochs
        self.on_progress(
            min(done, 1.0),
            f"{self.layer}: round {self.epoch + 1} of at most {self.epochs}, "
            f"{seen} of {self.n_windows} stretches of weeks",
        )


@dataclass(eq=False)
class Recurrent(Forecaster):
    """Global recurrent network with a negative-binomial head on weekly rates, spread over days by weekday.

    units, hidden          width of the recurrent layer and of the head
    lookback_weeks         weeks that it reads (fewer where the history is short: the rest is masked as unknown)
    origins                weeks to stand after when making windows, counted back from the held-out weeks
    max_windows            windows an epoch sees at most, drawn once by the seed
    epochs, patience       at most so many epochs; it stops after `patience` without a better loss on unseen weeks
    batch, learning_rate, seed
    """

    family: ClassVar[str] = "network"
    layer: ClassVar[str]
    """The name of the recurrent layer, as Keras and people call it."""
    complexity: ClassVar[int] = 20
    minimum_days: ClassVar[int] = 12 * WEEK
    runs_alone: ClassVar[bool] = True

    units: int = 32
    hidden: int = 64
    lookback_weeks: int = 26
    origins: int = 20
    max_windows: int = 60_000
    epochs: int = 12
    patience: int = 2
    batch: int = 512
    learning_rate: float = 0.003
    seed: int = 1
    network_: Any = field(default=None, init=False, repr=False)
    codes_: dict[str, Codes] = field(default_factory=dict, init=False, repr=False)
    centres_: dict[str, Floats] = field(default_factory=dict, init=False, repr=False)
    tails_: tuple[float, float] | None = field(default=None, init=False, repr=False)
    panel_: Panel | None = field(default=None, init=False, repr=False)

    def fit(self, panel: Panel, on_progress: OnProgress = silent) -> Self:
        """Train with early stopping on the last four weeks, then calibrate the tails on them."""
        self.require_history(panel)
        self.codes_ = {name: Codes.learn(panel.labels(name)) for name in KIND_LABELS}
        weeks = Weeks.of(panel, 0)
        last = weeks.n_weeks - HELD_OUT_WEEKS
        first = max(last - self.origins, FIRST_ORIGIN)
        learned = [self._windows(panel, weeks, origin, answered_to=last) for origin in range(first, last)]
        unseen = [
            self._windows(panel, weeks, origin, answered_to=weeks.n_weeks) for origin in (last, last + SUM_DAYS // WEEK)
        ]
        train = _answered(Windows.joined(learned))
        check = _answered(Windows.joined(unseen))
        if not len(train.past) or not len(check.past) or not train.asked[..., 0].any():
            raise NothingToLearn(self.name, panel.n_days)
        chooser = np.random.default_rng(self.seed)
        chosen = chooser.permutation(len(train.past))[: self.max_windows]
        train = train.take(chosen)
        self.centres_ = _centres(train)
        self.network_ = self._train(self._scaled(train), self._scaled(check), on_progress)
        self.tails_ = self._fit_tails(panel, [HELD_OUT_WEEKS, SUM_DAYS // WEEK])
        self.panel_ = panel
        return self

    def predict(self, grid: Grid, panel: Panel | None = None) -> Forecast:
        """Answer week by week from `panel` and spread each week over its days."""
        panel, (factor, scale) = self._fitted(panel)
        n_weeks = -(-max(grid.horizon_days, SUM_DAYS) // WEEK)
        weekly, dispersion = self._answers(panel, n_weeks)
        shares = _week_shares(panel, n_weeks)
        return Forecast(
            model=self.name,
            unique_ids=panel.ids,
            cutoff=panel.cutoff,
            grid=grid,
            mean=grid.totals((np.repeat(weekly, WEEK, axis=1) * shares).astype(np.float32)),
            level_variance=(factor * dispersion).astype(np.float32),
            day_dispersion=(scale * day_dispersion(panel)).astype(np.float32),
            weekday_profile=weekday_profile(panel),
        )

    def reasons(self, days: int, panel: Panel | None = None, rows: SomeRows = EVERY) -> Reasons:
        """Return what each part of what the network is shown adds: Shapley's values, by two orders of showing them.

        A part that is not shown is at its mean, and a kind unknown. The parts are shown one after the other, in their
        order and in the reverse of it; what each then adds, on average, adds up to the whole (Castro, Gómez and
        Tejada 2009, with one order and its reverse for a sample).
        """
        panel, _ = self._fitted(panel)
        rounds = -(-days // (len(AHEAD) * WEEK))
        weeks = Weeks.of(panel, rounds * len(AHEAD))
        shares = _week_shares(panel, rounds * len(AHEAD))[rows, :days]
        on_sale = weeks.exposure[rows].any(axis=1)
        chosen = np.arange(panel.n_series)[rows]
        told = []
        for turn in range(rounds):
            first = turn * len(AHEAD)
            windows = self._scaled(
                self._windows(panel, weeks, weeks.n_weeks, answered_to=weeks.n_weeks, first_ahead=first + 1)
            ).take(chosen)
            start, logs = self._shapley(windows, weeks)
            for place in range(len(AHEAD)):
                span = slice((first + place) * WEEK, (first + place + 1) * WEEK)
                share = np.where(on_sale, shares[:, span].sum(axis=1, dtype=np.float64), 0.0)
                base = windows.asked[:, place, 1].astype(np.float64) * np.exp(start[:, place])
                week = in_units(base, {name: log[:, place] for name, log in logs.items()})
                told.append(week.in_season(float(weeks.season[weeks.n_weeks + first + place])).times(share))
        return Reasons.added(told)

    def _shapley(self, windows: Windows, weeks: Weeks) -> tuple[Doubles, dict[str, Doubles]]:
        """Return the network's log ratios [w, 4] when it is shown nothing, and what each part adds to them."""
        of_channels = [theme_of(channel, weeks.covariates, KIND_LABELS) for channel in windows.channels]
        of_columns = [theme_of(column, weeks.covariates, KIND_LABELS) for column in windows.columns]
        themes = sorted({*of_channels, *of_columns, KIND})

        def answers(shown: set[str]) -> Doubles:
            past = windows.past * np.array([theme in shown for theme in of_channels], dtype=np.float32)
            rows = windows.rows * np.array([theme in shown for theme in of_columns], dtype=np.float32)
            kinds = windows.kinds if KIND in shown else np.zeros_like(windows.kinds)
            return self._ask(replace(windows, past=past, rows=rows, kinds=kinds))[:, :, 0].astype(np.float64)

        nothing, everything = answers(set()), answers(set(themes))
        added = dict.fromkeys(themes, np.zeros_like(nothing))
        for order in (themes, themes[::-1]):
            before = nothing
            for place, theme in enumerate(order):
                after = answers(set(order[: place + 1])) if place + 1 < len(order) else everything
                added[theme] = added[theme] + (after - before) / 2
                before = after
        return nothing, added

    def _fitted(self, panel: Panel | None) -> tuple[Panel, tuple[float, float]]:
        panel = panel if panel is not None else self.panel_
        if panel is None or self.network_ is None or self.tails_ is None:
            raise NotFitted(f"{self.name} has not been fitted, or has no history to forecast from.")
        self.require_history(panel)
        return panel, self.tails_

    def to_artifact(self) -> Artifact:
        """Return the weights as a NumPy archive of plain arrays, and everything else as JSON."""
        if self.network_ is None or self.tails_ is None:
            raise NotFitted(f"{self.name} has not been fitted.")
        return {
            "weights.npz": write_arrays(
                {f"arr_{place}": weights for place, weights in enumerate(self.network_.get_weights())}
            ),
            "centres.npz": write_arrays(self.centres_),
            "model.json": write_json(
                {
                    "model": self.name,
                    "parameters": self.parameters(),
                    "labels": {name: list(codes.names) for name, codes in self.codes_.items()},
                    "tails": list(self.tails_),
                }
            ),
        }

    @classmethod
    def from_artifact(cls, files: Mapping[str, bytes]) -> Self:
        """Return the model that `to_artifact` saved."""
        settings = read_json(files, "model.json", cls.name)
        model = cls(**settings["parameters"])
        model.codes_ = {name: Codes(tuple(labels)) for name, labels in settings["labels"].items()}
        model.tails_ = (float(settings["tails"][0]), float(settings["tails"][1]))
        model.centres_ = read_arrays(files, "centres.npz", cls.name)
        weights = read_arrays(files, "weights.npz", cls.name)
        try:
            model.network_ = model._build()
            model.network_.set_weights([weights[f"arr_{place}"] for place in range(len(weights))])
        except (KeyError, ValueError) as error:
            raise ArtifactError(f"The artifact of {cls.name} has weights that do not fit its description.") from error
        return model

    def parameters(self) -> dict[str, Any]:
        """Return what the constructor stored."""
        return {
            "units": self.units,
            "hidden": self.hidden,
            "lookback_weeks": self.lookback_weeks,
            "origins": self.origins,
            "max_windows": self.max_windows,
            "epochs": self.epochs,
            "patience": self.patience,
            "batch": self.batch,
            "learning_rate": self.learning_rate,
            "seed": self.seed,
        }

    def _build(self) -> Any:
        """Return the network, its weights drawn by the seed."""
        seeds = iter(range(self.seed * 1000, self.seed * 1000 + 100))

        def drawn() -> Any:
            return keras.initializers.GlorotUniform(seed=next(seeds))

        past = keras.Input((self.lookback_weeks, self.centres_["past_mean"].shape[-1]), name="past")
        rows = keras.Input((len(AHEAD), self.centres_["rows_mean"].shape[-1]), name="rows")
        kinds = keras.Input((len(KIND_LABELS),), dtype="int32", name="kinds")
        read = getattr(keras.layers, self.layer)(
            self.units,
            kernel_initializer=drawn(),
            recurrent_initializer=keras.initializers.Orthogonal(seed=next(seeds)),
        )(past)
        context = [read]
        for place, label in enumerate(KIND_LABELS):
            table = keras.layers.Embedding(
                len(self.codes_[label].names) + 1,
                EMBEDDING_WIDTH,
                embeddings_initializer=keras.initializers.RandomUniform(-0.05, 0.05, seed=next(seeds)),
            )
            context.append(table(kinds[:, place]))
        repeated = keras.layers.RepeatVector(len(AHEAD))(keras.layers.Concatenate()(context))
        head = keras.layers.Concatenate()([repeated, rows])
        head = keras.layers.Dense(self.hidden, activation="relu", kernel_initializer=drawn())(head)
        head = keras.layers.Dense(self.hidden // 2, activation="relu", kernel_initializer=drawn())(head)
        ratio = keras.layers.Dense(1, kernel_initializer=keras.initializers.RandomNormal(0, 0.01, next(seeds)))(head)
        spread = keras.layers.Dense(
            1, activation="softplus", kernel_initializer=keras.initializers.RandomNormal(0, 0.01, next(seeds))
        )(head)
        answer = keras.layers.Concatenate()(
            [ops.clip(ratio, -LARGEST_LOG_RATIO, LARGEST_LOG_RATIO), spread + LEAST_DISPERSION]
        )
        return keras.Model({"past": past, "rows": rows, "kinds": kinds}, answer)

    def _train(self, train: Windows, check: Windows, on_progress: OnProgress) -> Any:
        network = self._build()
        network.compile(
            optimizer=keras.optimizers.Adam(self.learning_rate, clipnorm=1.0),
            loss=negative_binomial_loss,
            jit_compile=False,  # on a CPU, compiling costs more than it saves
        )
        network.fit(
            train.inputs(),
            train.asked,
            validation_data=(check.inputs(), check.asked),
            validation_batch_size=PREDICT_BATCH,
            batch_size=self.batch,
            epochs=self.epochs,
            shuffle=False,
            verbose=0,
            callbacks=[
                keras.callbacks.EarlyStopping(patience=self.patience, restore_best_weights=True),
                keras.callbacks.ReduceLROnPlateau(patience=1, factor=0.3),
                Progress(on_progress, self.layer, len(train.past), self.batch, self.epochs),
            ],
        )
        return network

    def _windows(self, panel: Panel, weeks: Weeks, origin: int, *, answered_to: int, first_ahead: int = 1) -> Windows:
        """Return one window per series for an origin; answers are known for weeks up to `answered_to`."""
        n = panel.n_series
        usual = level(weeks, origin)
        aheads = [first_ahead + place for place in range(len(AHEAD))]
        reached = [ahead for ahead in aheads if origin + ahead <= weeks.n_ahead]
        blocks = rows_at(weeks, origin, reached, pooled_groups(panel), {})
        values = [block.values for block in blocks]
        values += [values[-1]] * (len(aheads) - len(values))
        rows = np.stack(values, axis=1)
        rows[:, :, blocks[0].names.index("ahead")] = np.minimum(aheads, AHEAD[-1])
        asked = np.zeros((n, len(AHEAD), 3), dtype=np.float32)
        asked[:, :, 1] = usual[:, None]
        forecast_then = panel.regular(panel.n_days - (weeks.n_weeks - origin) * WEEK)
        ever = (weeks.exposure[:, :origin].sum(axis=1) > 1) & forecast_then
        for place, ahead in enumerate(aheads):
            if origin + ahead <= answered_to:
                asked[:, place, 0] = weeks.rate[:, origin + ahead - 1]
                asked[:, place, 2] = ever & (weeks.exposure[:, origin + ahead - 1] > 0)
        kinds = np.stack([self.codes_[label].of(panel.labels(label)) + 1 for label in KIND_LABELS], axis=1)
        past, channels = self._past(weeks, origin, usual)
        return Windows(past, rows, kinds.astype(np.int32), asked, blocks[0].names, channels)

    def _past(self, weeks: Weeks, origin: int, usual: Floats) -> tuple[Floats, tuple[str, ...]]:
        """Return [n, lookback, channels] and what the channels are called.

        Weeks before the first are all zero, availability included.
        """
        reach = min(self.lookback_weeks, origin)
        span = slice(origin - reach, origin)
        sold = np.log1p(weeks.rate[:, span] / usual[:, None])
        channels = {"sales": sold, "available": weeks.exposure[:, span]}
        for name in sorted(weeks.covariates):
            values = weeks.covariates[name][:, span]
            now = weeks.covariates[name][:, origin - 1 : origin]
            channels[f"{name}_now"] = values / now if name in frames.HELD else values
        channels |= {name: np.broadcast_to(values[span], sold.shape) for name, values in weeks.calendar.items()}
        past = np.zeros((len(usual), self.lookback_weeks, len(channels)), dtype=np.float32)
        told = np.stack(list(channels.values()), axis=2)
        past[:, self.lookback_weeks - reach :] = np.nan_to_num(told, posinf=0.0, neginf=0.0)
        return past, tuple(channels)

    def _scaled(self, windows: Windows) -> Windows:
        """Return windows with inputs centred and scaled as the training windows were; what is missing is average."""
        centres = self.centres_
        if any(np.shape(centres[f"{name}_mean"])[-1] != getattr(windows, name).shape[-1] for name in ("past", "rows")):
            raise ArtifactError(f"{self.name} was trained on other kinds of promotions than there are now.")
        past = (windows.past - centres["past_mean"]) / centres["past_spread"]
        rows = np.nan_to_num((windows.rows - centres["rows_mean"]) / centres["rows_spread"], posinf=0.0, neginf=0.0)
        return replace(windows, past=past.astype(np.float32), rows=np.clip(rows, -6, 6).astype(np.float32))

    def _answers(self, panel: Panel, n_weeks: int) -> tuple[Floats, Floats]:
        """Return units per week after the cutoff [n, n_weeks], and the head's dispersion of the first two [n]."""
        rounds = -(-n_weeks // len(AHEAD))
        weeks = Weeks.of(panel, rounds * len(AHEAD))
        origin = weeks.n_weeks
        usual = level(weeks, origin)
        ever = np.asarray(weeks.exposure.any(axis=1))
        means = np.empty((panel.n_series, rounds * len(AHEAD)), dtype=np.float32)
        dispersion = np.empty(panel.n_series, dtype=np.float32)
        for turn in range(rounds):
            first = 1 + turn * len(AHEAD)
            windows = self._scaled(self._windows(panel, weeks, origin, answered_to=origin, first_ahead=first))
            answer = self._ask(windows)
            season = weeks.season[origin + first - 1 : origin + first - 1 + len(AHEAD)]
            means[:, first - 1 : first - 1 + len(AHEAD)] = np.where(
                ever[:, None], usual[:, None] * np.exp(answer[:, :, 0]) * season, 0.0
            )
            if turn == 0:
                dispersion = answer[:, : SUM_DAYS // WEEK, 1].mean(axis=1)
        return means[:, :n_weeks], dispersion

    def _ask(self, windows: Windows) -> Floats:
        """Return the network's answers [w, 4, 2], batch by batch, every batch filled up to the same size."""
        n = len(windows.past)
        size = min(PREDICT_BATCH, 1 << max(int(np.ceil(np.log2(max(n, 1)))), 5))
        answers = np.empty((n, len(AHEAD), 2), dtype=np.float32)
        for first in range(0, n, size):
            rows = np.minimum(np.arange(first, first + size), n - 1)
            batch = windows.take(rows)
            found = ops.convert_to_numpy(self.network_(batch.inputs(), training=False))
            answers[first : first + size] = found[: min(size, n - first)]
        return answers

    def _fit_tails(self, panel: Panel, weeks_ago: list[int]) -> tuple[float, float]:
        """Return the factors on the head's dispersion and on the days' own that make two-week sums likeliest."""
        means, spreads, actuals, owns = [], [], [], []
        for back in weeks_ago:
            then = panel.before(back * WEEK)
            weekly, dispersion = self._answers(then, SUM_DAYS // WEEK)
            actual = sold(panel, back * WEEK)
            known = np.isfinite(actual) & then.regular()
            means.append(weekly.sum(axis=1, dtype=np.float64)[known])
            spreads.append(dispersion[known].astype(np.float64))
            actuals.append(actual[known])
            owns.append(day_dispersion(then)[known])
        mean, spread = np.concatenate(means), np.concatenate(spreads)
        actual, own = np.concatenate(actuals), np.concatenate(owns)
        tried = [(float(factor), float(scale)) for factor in HEAD_FACTORS for scale in SCALES]
        evidence = [
            float(
                negative_binomial_log_likelihood(
                    actual, mean, mean * (1 + scale * own) + factor * spread * mean**2
                ).sum()
            )
            for factor, scale in tried
        ]
        return tried[int(np.argmax(evidence))]


@dataclass(eq=False)
class KerasLSTM(Recurrent):
    """The network with a long short-term memory (Hochreiter and Schmidhuber 1997)."""

    name: ClassVar[str] = "keras_lstm"
    layer: ClassVar[str] = "LSTM"


@dataclass(eq=False)
class KerasGRU(Recurrent):
    """The network with gated recurrent units (Cho et al. 2014): a quarter fewer weights, and quicker to train."""

    name: ClassVar[str] = "keras_gru"
    layer: ClassVar[str] = "GRU"


def _week_shares(panel: Panel, n_weeks: int) -> Floats:
    """Return what share of its week each day sells [n, 7 n_weeks]."""
    days = weekdays(panel.future_days(n_weeks * WEEK))
    return (weekday_shares(panel, frames.DEPARTMENT)[:, days] / WEEK).astype(np.float32)


def _answered(windows: Windows) -> Windows:
    """Return the windows of which at least one answer is known."""
    return windows.take(np.flatnonzero(windows.asked[:, :, 2].any(axis=1)))


def _centres(windows: Windows) -> dict[str, Floats]:
    """Return means and spreads of the inputs over all windows, by channel and feature; spreads never 0."""
    finite = np.where(np.isfinite(windows.rows), windows.rows, np.nan)
    count = np.maximum(np.isfinite(finite).sum(axis=(0, 1)), 1)
    mean = np.nansum(finite, axis=(0, 1), dtype=np.float64) / count
    variance = np.nansum((finite - mean) ** 2, axis=(0, 1), dtype=np.float64) / count
    past_spread = windows.past.std(axis=(0, 1), dtype=np.float64)
    return {
        "past_mean": windows.past.mean(axis=(0, 1), dtype=np.float64).astype(np.float32),
        "past_spread": np.where(past_spread > 1e-6, past_spread, 1.0).astype(np.float32),
        "rows_mean": mean.astype(np.float32),
        "rows_spread": np.where(variance > 1e-12, np.sqrt(variance), 1.0).astype(np.float32),
    }
