"""What the registry keeps outside the database: artifacts, signed."""
