"""Independent stages of work, several at once on threads, their results in order and their progress as one."""

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from apps.forecasting.engine.base import OnProgress, silent

Result = TypeVar("Result")
Stage = Callable[[OnProgress], Result]


class Abandoned(Exception):
    """Another stage has failed: this one's result would not be used."""


def run_stages(stages: Sequence[Stage[Result]], workers: int = 1, on_progress: OnProgress = silent) -> list[Result]:
    """Run every stage, at most `workers` at once, and return what each returned, in the order of `stages`.

    Each stage is called with an OnProgress of its own, which counts from 0 to 1; `on_progress` is told the mean over
    all stages. What a stage raises, or `on_progress` does to cancel, ends the others at their next word and is raised
    here. Threads help because LightGBM and NumPy let go of Python's lock while they compute.
    """
    if workers <= 1 or len(stages) <= 1:
        return [stage(_part(on_progress, place, len(stages))) for place, stage in enumerate(stages)]
    fractions = [0.0] * len(stages)
    lock, stopped = threading.Lock(), threading.Event()

    def teller(place: int) -> OnProgress:
        def told(done: float, sentence: str) -> None:
            with lock:
                if stopped.is_set():
                    raise Abandoned
                fractions[place] = done
                on_progress(sum(fractions) / len(stages), sentence)

        return told

    def run(place: int) -> Result:
        if stopped.is_set():
            raise Abandoned
        try:
            result = stages[place](teller(place))
        except BaseException:
            stopped.set()  # here, before this thread takes up another stage
            raise
        fractions[place] = 1.0
        return result

    with ThreadPoolExecutor(workers, thread_name_prefix="stage") as pool:
        started = [pool.submit(run, place) for place in range(len(stages))]
    for error in (future.exception() for future in started):
        if error is not None and not isinstance(error, Abandoned):
            raise error
    return [future.result() for future in started]


def _part(on_progress: OnProgress, place: int, count: int) -> OnProgress:
    def told(done: float, sentence: str) -> None:
        on_progress((place + done) / count, sentence)

    return told
