"""How forecasts travel to and from Postgres."""
