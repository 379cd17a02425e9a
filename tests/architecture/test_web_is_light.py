"""The web process never loads a numeric library: it starts in a second and its workers stay small."""

import json
import subprocess
import sys

import pytest

from tests.servers import CLONE

HEAVY = {"keras", "tensorflow", "lightgbm", "ortools", "sklearn", "statsforecast", "statsmodels", "torch",
         "jax", "optuna"}
NUMERIC = {"numpy", "pandas", "scipy", "pyarrow"}

# In a process of its own, as this one has loaded everything by now.
WALK = """
import json, sys
from config.wsgi import application
from django.urls import URLPattern, get_resolver

def walk(resolver):
    for entry in resolver.url_patterns:
        if isinstance(entry, URLPattern):
            yield entry.callback
        else:
            yield from walk(entry)

views = list(walk(get_resolver()))
loaded = sorted({name.partition(".")[0] for name in sys.modules})
print(json.dumps({"views": len(views), "loaded": loaded}))
"""


@pytest.fixture(scope="module")
def loaded() -> set[str]:
    done = subprocess.run(
        [sys.executable, "-c", WALK], cwd=CLONE, check=False, capture_output=True, text=True,
        env={"DJANGO_SETTINGS_MODULE": "config.settings.test", "PATH": ""})
    assert done.returncode == 0, done.stderr
    seen = json.loads(done.stdout.splitlines()[-1])
    assert seen["views"] > 20, "the walk has found the product's pages"
    return set(seen["loaded"])


def test_no_model_or_solver_is_loaded(loaded: set[str]) -> None:
    assert loaded & HEAVY == set()


def test_no_numeric_library_is_loaded(loaded: set[str]) -> None:
    assert loaded & NUMERIC == set()


def test_what_runs_in_a_prefork_worker_loads_no_model_or_solver() -> None:
    """One of their own pools of threads in each of several children takes the cores from whoever trains."""
    program = ("import json, sys\nfrom config.celery import app\napp.loader.import_default_modules()\n"
               "from apps.jobs.kinds import all_kinds\n"
               "[kind.load() for kind in all_kinds() if kind.queue == 'light']\n"
               "print(json.dumps(sorted({name.partition('.')[0] for name in sys.modules})))")
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=CLONE, check=False, capture_output=True, text=True,
        env={"DJANGO_SETTINGS_MODULE": "config.settings.test", "PATH": ""})
    assert done.returncode == 0, done.stderr
    loaded = set(json.loads(done.stdout.splitlines()[-1]))
    assert "pyarrow" in loaded and loaded & HEAVY == set()


def test_no_numeric_library_is_loaded_before_a_prefork_worker_forks() -> None:
    """A child forked after OpenMP ran was seen to hang."""
    program = ("import json, sys\nfrom config.celery import app\napp.loader.import_default_modules()\n"
               "print(json.dumps(sorted({name.partition('.')[0] for name in sys.modules})))")
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=CLONE, check=False, capture_output=True, text=True,
        env={"DJANGO_SETTINGS_MODULE": "config.settings.test", "PATH": ""})
    assert done.returncode == 0, done.stderr
    assert set(json.loads(done.stdout.splitlines()[-1])) & (HEAVY | NUMERIC) == set()
