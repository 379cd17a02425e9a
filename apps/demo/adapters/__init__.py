"""The door to the recast and to where its files are kept."""
