"""Settings: base for all, then dev (this machine), test and prod."""
