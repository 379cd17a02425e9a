"""The forecasting engine: frames in, frames out; it knows no framework, no database and no clock."""

import os

# OpenMP reads this when LightGBM is loaded. Its threads spin while they wait for each other, and two trainings on one
# machine then take each other's cores: on two cores, 7 s alone and 235 s beside another; 8 s and 12 s where they sleep.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
