"""Made-up facts without chance: numbers drawn from a key, the same on every machine and in every run."""

import hashlib

import numpy as np
from numpy.typing import ArrayLike, NDArray


def draws(keys: ArrayLike, purpose: str) -> NDArray[np.float64]:
    """Return one number in [0, 1) for each integer key.

    The number depends on the key and the purpose alone: it does not move when other keys come or go, and draws for
    two purposes are unrelated. The mixing is SplitMix64's finaliser (Steele, Lea and Flood, 2014).
    """
    seed = np.uint64(int.from_bytes(hashlib.blake2b(purpose.encode(), digest_size=8).digest(), "big"))
    with np.errstate(over="ignore"):
        mixed = np.asarray(keys, dtype=np.int64).astype(np.uint64) * np.uint64(0x9E3779B97F4A7C15) + seed
        mixed = (mixed ^ (mixed >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        mixed = (mixed ^ (mixed >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        mixed ^= mixed >> np.uint64(31)
    return (mixed >> np.uint64(11)).astype(np.float64) / float(1 << 53)
