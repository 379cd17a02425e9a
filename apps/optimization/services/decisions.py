"""What people decide on recommendations: approved as advised, approved otherwise with a reason, or dismissed; once."""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Sequence
from dataclasses import dataclass

from django.db import transaction
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from apps.inventory import services as inventory
from apps.inventory.services import LineEdit, OddLot, ReasonMissing, WantedLine
from apps.optimization.models import Decision, Recommendation
from apps.optimization.selectors import current_plan, decisions_of
from apps.tenants.figures import units
from apps.tenants.models import User
from apps.tenants.scope import current_tenant_id
from apps.tenants.selectors import tenant_by_id
from apps.tenants.services import record_audit

State, Kind = Recommendation.State, Decision.Kind

ODD_LOTS_NAMED = 5
FAR_MORE_TIMES = 10  # as much as is advised: what one zero too many comes to


class NotOpen(ValueError):
    """The recommendation can no longer be decided on; the message says why."""


@dataclass(frozen=True, kw_only=True)
class Choice:
    """A recommendation as somebody wants it: `quantity` None takes the one advised.

    A quantity that is no whole packs, below the minimum or far more than advised is an OddLot, unless it `may_be_odd`.
    """

    recommendation_id: int
    quantity: int | None = None
    reason: str = ""
    may_be_odd: bool = False


@dataclass(frozen=True, kw_only=True)
class Decided:
    """What came of deciding on several recommendations."""

    decisions: tuple[Decision, ...]
    passed_over: int
    """Lines that were no longer open: replaced by a newer plan, or decided otherwise."""

    @property
    def order_ids(self) -> tuple[int, ...]:
        return tuple(sorted({each.purchase_order_id for each in self.decisions if each.purchase_order_id}))


@transaction.atomic
def decide(*, recommendation_id: int, quantity: int | None = None, reason: str = "", as_of: dt.date,
           actor: User | None, label: str = "", may_be_odd: bool = False) -> Decision:
    """Approve a recommendation, as advised or with another quantity and a reason, into a purchase order line.

    Approving what is approved returns the decision that is there. NotOpen where a newer plan replaced it.
    """
    choice = Choice(recommendation_id=recommendation_id, quantity=quantity, reason=reason, may_be_odd=may_be_odd)
    decided = decide_many(choices=[choice], as_of=as_of, actor=actor, label=label)
    if not decided.decisions:
        raise NotOpen(_("This line is no longer open: a newer plan replaced it, or it was dismissed."))
    return decided.decisions[0]


@transaction.atomic
def decide_many(*, choices: Sequence[Choice], as_of: dt.date, actor: User | None, label: str = "") -> Decided:
    """Approve several recommendations; those no longer open are passed over, approved ones stay as they are."""
    inventory.lock_orders()
    found = _locked([choice.recommendation_id for choice in choices])
    approved = {pk for pk, line in found.items() if line.state == State.APPROVED}
    wanted = {choice.recommendation_id: choice for choice in choices
              if choice.recommendation_id in found and found[choice.recommendation_id].state == State.OPEN}
    _ask_about_odd_lots([(found[pk], choice.quantity) for pk, choice in sorted(wanted.items())
                         if choice.quantity and not choice.may_be_odd])
    fresh: list[tuple[Recommendation, int, str]] = []
    for pk, choice in sorted(wanted.items()):
        line = found[pk]
        quantity = line.quantity if choice.quantity is None else choice.quantity
        if quantity <= 0:
            raise ReasonMissing(_("Dismiss %(item)s, with a reason, to order none of it.") % {"item": line.item})
        _ask_for_reason(line, quantity, choice.reason)
        fresh.append((line, quantity, choice.reason.strip()[:300]))
    for plan_id in sorted({line.plan_id for line, _quantity, _reason in fresh}):
        _place([each for each in fresh if each[0].plan_id == plan_id], plan_id, as_of, actor, label)
    inventory.tell_items_changed(item_ids=[line.item_id for line, _quantity, _reason in fresh])
    decisions = decisions_of([*approved, *wanted])
    asked = {choice.recommendation_id for choice in choices}
    return Decided(decisions=tuple(decisions.values()), passed_over=len(asked) - len(approved) - len(wanted))


@transaction.atomic
def decide_edited(edit: LineEdit) -> str:
    """Decide anew on a line that stands on a draft, by the same rules; what the order then says of it."""
    line = _locked([edit.recommendation_id]).get(edit.recommendation_id)
    if line is None:
        return ""
    if not edit.may_be_odd:
        _ask_about_odd_lots([(line, edit.quantity)])
    _ask_for_reason(line, edit.quantity, edit.reason)
    reason = edit.reason.strip()[:300]
    Decision.objects.create(recommendation=line, kind=_kind(line, edit.quantity), quantity=edit.quantity, reason=reason,
                            decided_by=edit.decided_by, decided_on=edit.as_of, purchase_order_id=edit.order_id)
    return _note(line, edit.quantity, reason, edit.decided_by)


def _ask_for_reason(line: Recommendation, quantity: int, reason: str) -> None:
    if quantity != line.quantity and not reason.strip():
        raise ReasonMissing(_("Say why %(item)s should be %(quantity)s instead of %(advised)s.")
                            % {"item": line.item, "quantity": units(quantity), "advised": units(line.quantity)})


def _kind(line: Recommendation, quantity: int) -> Decision.Kind:
    return Kind.APPROVED if quantity == line.quantity else Kind.EDITED


def _ask_about_odd_lots(edited: Sequence[tuple[Recommendation, int]]) -> None:
    """Refuse quantities that no whole packs make, below the minimum, or far above what is advised: slips, or wanted."""
    sentences = []
    for line, quantity in edited:
        if quantity == line.quantity:
            continue
        good = line.good_quantities(quantity)
        words = {"item": line.item, "quantity": units(quantity), "pack": units(line.pack_size), "moq": units(line.moq),
                 "down": units(good[0]), "up": units(good[-1]), "advised": units(line.quantity)}
        if line.quantity and quantity >= FAR_MORE_TIMES * line.quantity:
            words["times"] = units(quantity // line.quantity)
            sentence = _("%(item)s: %(quantity)s is %(times)s times the %(advised)s that are advised.")
        elif quantity in good:
            continue
        elif quantity < line.moq:
            sentence = _("%(item)s: %(quantity)s is below the smallest order, %(moq)s.")
        else:
            sentence = _("%(item)s: %(quantity)s is no whole number of packs of %(pack)s; the nearest are %(down)s and "
                         "%(up)s.")
        sentences.append(sentence % words)
    if sentences:
        more = len(sentences) - ODD_LOTS_NAMED
        if more > 0:
            sentences[ODD_LOTS_NAMED:] = [ngettext("%(n)d more line is so.", "%(n)d more lines are so.", more)
                                          % {"n": more}]
        raise OddLot(" ".join(sentences))


def _place(fresh: list[tuple[Recommendation, int, str]], plan_id: int, as_of: dt.date, actor: User | None,
           label: str) -> None:
    placed = inventory.open_purchase_orders(
        as_of=as_of, plan_id=plan_id, actor=actor, label=label, lines=[
            WantedLine(recommendation_id=line.pk, item_id=line.item_id, location_id=line.location_id,
                       supplier_id=line.supplier_id, quantity=quantity, unit_cost=line.unit_cost,
                       expected_on=as_of + dt.timedelta(days=math.ceil(line.lead_time_days)),
                       note=_note(line, quantity, reason, _name(actor, label)))
            for line, quantity, reason in fresh])
    Decision.objects.bulk_create([
        Decision(recommendation=line, kind=_kind(line, quantity), quantity=quantity, reason=reason,
                 decided_by=_name(actor, label), decided_on=as_of, purchase_order_id=placed[line.pk])
        for line, quantity, reason in fresh])
    Recommendation.objects.filter(pk__in=[line.pk for line, _quantity, _reason in fresh]).update(state=State.APPROVED)


def _note(line: Recommendation, quantity: int, reason: str, who: str) -> str:
    """What an order says of a line that is not as it was advised."""
    if quantity == line.quantity:
        return ""
    return _("%(n)s were advised; changed by %(who)s: %(reason)s") % {
        "n": units(line.quantity), "who": who, "reason": reason}


@transaction.atomic
def dismiss_many(*, recommendation_ids: Sequence[int], reason: str, as_of: dt.date, actor: User | None,
                 label: str = "") -> Decided:
    """Decide to order nothing of some lines, and why; those no longer open are passed over."""
    if not reason.strip():
        raise ReasonMissing(_("Say why these lines are dismissed: the reason is weighed against what happens."))
    found = _locked(recommendation_ids)
    fresh = [line for line in found.values() if line.state == State.OPEN]
    Decision.objects.bulk_create([
        Decision(recommendation=line, kind=Kind.DISMISSED, quantity=0, reason=reason.strip()[:300],
                 decided_by=_name(actor, label), decided_on=as_of)
        for line in fresh])
    Recommendation.objects.filter(pk__in=[line.pk for line in fresh]).update(state=State.DISMISSED)
    if fresh:
        inventory.tell_items_changed(item_ids=[line.item_id for line in fresh])
        record_audit(tenant=tenant_by_id(current_tenant_id()), actor=actor, label=label, action="plan.dismissed",
                     target=str(fresh[0].plan_id), detail={"lines": len(fresh), "reason": reason.strip()[:300]})
    known = [pk for pk, line in found.items() if line.state in (State.OPEN, State.DISMISSED)]
    return Decided(decisions=tuple(decisions_of(known).values()), passed_over=len(set(recommendation_ids)) - len(known))


def dismiss(*, recommendation_id: int, reason: str, as_of: dt.date, actor: User | None, label: str = "") -> Decision:
    """Decide to order nothing of a line, and why; dismissing it again returns the decision that is there."""
    decided = dismiss_many(recommendation_ids=[recommendation_id], reason=reason, as_of=as_of, actor=actor, label=label)
    if not decided.decisions:
        raise NotOpen(_("This line is no longer open: a newer plan replaced it, or it was approved."))
    return decided.decisions[0]


@transaction.atomic
def reopen(recommendation_ids: Sequence[int]) -> None:
    """Open approved advice that is off its order before anything came, unless a newer plan has replaced it."""
    plan = current_plan()
    lost = [pk for pk, line in _locked(recommendation_ids).items()
            if plan is not None and line.plan_id == plan.pk and line.state == State.APPROVED]
    Recommendation.objects.filter(pk__in=lost).update(state=State.OPEN)


def _locked(recommendation_ids: Sequence[int]) -> dict[int, Recommendation]:
    """The present advice among these, locked in the order of its keys."""
    found = (Recommendation.objects.select_for_update(of=("self",)).select_related("item")
             .filter(pk__in=recommendation_ids, plan__is_replay=False).order_by("pk"))
    return {line.pk: line for line in found}


def _name(actor: User | None, label: str) -> str:
    return (label or (str(actor) if actor else "Stockwright"))[:160]
