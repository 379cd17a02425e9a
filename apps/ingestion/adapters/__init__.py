"""How files and shops speak: dialects, column names, values, payloads. Pure: no database, no clock."""
