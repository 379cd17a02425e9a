"""The judges: forecasts and decisions against what happened, earlier plans made again, and the proof in money."""
