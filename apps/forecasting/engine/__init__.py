"""The forecasting engine: frames in, frames out; it knows no framework, no database and no clock."""
