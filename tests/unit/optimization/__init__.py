"""The optimization engine's promises."""
