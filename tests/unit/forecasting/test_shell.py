"""The engine works from the shell: parquet in, parquet out, one sentence for what is wrong."""

from pathlib import Path

import pandas as pd
import pytest

from apps.forecasting.engine.__main__ import main
from tests.unit.forecasting import shops


@pytest.fixture
def shop(tmp_path: Path) -> list[str]:
    history, static, covariates = shops.frames(n_series=6, n_days=120)
    for name, frame in {"history": history, "static": static, "covariates": covariates}.items():
        frame.to_parquet(tmp_path / f"{name}.parquet")
    return [
        *("--history", str(tmp_path / "history.parquet")),
        *("--static", str(tmp_path / "static.parquet")),
        *("--covariates", str(tmp_path / "covariates.parquet")),
        *("--known-ahead", "mailer", "--country", "US"),
        *("--out", str(tmp_path / "out.parquet")),
    ]


def test_forecast_writes_steps_with_quantiles_and_recipes(shop: list[str], tmp_path: Path) -> None:
    assert main(["forecast", *shop, "--model", "tsb", "--weeks", "2"]) == 0
    written = pd.read_parquet(tmp_path / "out.parquet")
    assert len(written) == 6 * 30
    assert {"unique_id", "model", "ds", "mean", "q0.50", "q0.975", "level_variance", "day_dispersion"} <= set(written)


def test_backtest_writes_scores_and_names_the_champion(
    shop: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["backtest", *shop, "--model", "tsb", "--model", "weekday_mean"]) == 0
    assert set(pd.read_parquet(tmp_path / "out.parquet")["model"]) == {"tsb", "weekday_mean"}
    assert "stays" in capsys.readouterr().out


def test_a_bad_frame_is_one_sentence_and_no_traceback(
    shop: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pd.DataFrame({"unique_id": ["a"], "ds": [pd.Timestamp("2024-01-01")]}).to_parquet(tmp_path / "history.parquet")
    assert main(["forecast", *shop]) == 2
    assert capsys.readouterr().err.strip() == "The history frame lacks the column y."
