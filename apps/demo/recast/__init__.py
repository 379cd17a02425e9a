"""A year of real grocery purchases recast as the import files of two shops; pure, it knows no Django."""
