"""Verdicts as pages read them."""

from __future__ import annotations

import datetime as dt

from apps.feedback.models import Judgement, Proof


def latest_proof(as_of: dt.date | None = None) -> Proof | None:
    """The newest proof, or the newest one made on or before `as_of`."""
    found = Proof.objects.order_by("-as_of")
    return (found.filter(as_of__lte=as_of) if as_of else found).first()


def latest_judgement(as_of: dt.date | None = None) -> Judgement | None:
    """The newest judgement, or the newest one made on or before `as_of`."""
    found = Judgement.objects.order_by("-as_of")
    return (found.filter(as_of__lte=as_of) if as_of else found).first()
