"""Making the demo's shops and people, and asking for their days."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable
from dataclasses import dataclass

from allauth.account.models import EmailAddress
from django.conf import settings
from django.db import connection, transaction
from django.utils.crypto import salted_hmac
from django.utils.translation import gettext as _

from apps.catalog.services import change_defaults
from apps.demo import selectors
from apps.demo.adapters import shelf
from apps.demo.recast.shops import ALL_SHOPS, CURRENCY, ENDS_ON, STANDS_ON, TIME_ZONE, Shop
from apps.demo.selectors import ADVANCE, CONTEST, FIRST_STEPS, LOAD
from apps.jobs.services import NotNow, enqueue, retry, start_chain
from apps.tenants.models import Role, Tenant, Tier, User
from apps.tenants.scope import current_tenant_id, tenant_context
from apps.tenants.selectors import tenant_by_id, tenant_by_slug
from apps.tenants.services import add_person, let_demo_day_pass, make_tenant, record_audit

_SHELF_LOCK = 0x5EED  # the class of the advisory lock under which the purchases are recast
_CONTEST_LOCK = 0xC0DE


class NotADemo(ValueError):
    """Only a demo's days are let in; the message says what was asked."""


class YearIsOver(ValueError):
    """No day is left to let in."""


@dataclass(frozen=True)
class SignIn:
    """A person of the demo and how they get in."""

    email: str
    password: str
    name: str
    may: str


@dataclass(frozen=True)
class _Person:
    email: str
    name: str
    role: str | None
    may: str


def _people() -> tuple[_Person, ...]:
    return (
        _Person("owner@stockwright.example", "Olivia Owens", Role.OWNER, _("owns the shops and may do everything")),
        _Person("viewer@stockwright.example", "Vic Vega", Role.VIEWER, _("sees everything and can change nothing")),
        _Person("operator@stockwright.example", "Oscar Ortiz", None, _("runs the service: the admin at /admin/")),
    )


@transaction.atomic
def make_people(*, tenants: Iterable[Tenant]) -> list[SignIn]:
    """Make the demo's people, with a place in each of the shops, and say how they sign in.

    A password is derived from this installation's secret key: nobody else's demo has it, it can be shown again at each
    start, and it is written down nowhere.
    """
    found = []
    for person in _people():
        user = User.objects.filter(email=person.email).first() or User.objects.create_user(person.email)
        password = password_of(person.email)
        user.name, user.is_active = person.name, True
        user.is_staff = user.is_superuser = person.role is None
        if not user.check_password(password):
            user.set_password(password)
        user.save()
        EmailAddress.objects.update_or_create(user=user, email=person.email,
                                              defaults={"verified": True, "primary": True})
        if person.role is not None:
            for tenant in tenants:
                add_person(tenant=tenant, user=user, role=person.role, actor=None)
        found.append(SignIn(person.email, password, person.name, person.may))
    return found


def password_of(email: str) -> str:
    """Twelve letters and digits of 60 bits, in groups of four."""
    alphabet = "abcdefghijkmnpqrstuvwxyz23456789"  # 32 of them; no l, o, 0 or 1
    digest = salted_hmac("stockwright.demo.sign-in", email, algorithm="sha256").digest()
    letters = "".join(alphabet[byte % 32] for byte in digest[:12])
    return "-".join(letters[at:at + 4] for at in range(0, 12, 4))


@transaction.atomic
def make_shop(*, slug: str) -> Tenant:
    """The tenant of a recast shop, made if it is new; it stands on the day before which its history ends."""
    known = tenant_by_slug(slug)
    if known is not None:
        if not selectors.is_demo_shop(known):
            raise NotADemo(_("%(slug)s is the short name of a real shop here: the demo leaves it alone.")
                           % {"slug": slug})
        return known
    shop = ALL_SHOPS[slug]
    tenant = make_tenant(name=shop.name, slug=slug, owner=None, currency=CURRENCY, time_zone=TIME_ZONE, country="US",
                         tier=_tier(shop), demo_date=STANDS_ON)
    with tenant_context(tenant.pk):
        change_defaults(actor=None, planned_units_per_week=shop.planned_units_per_week)
    return tenant


def _tier(shop: Shop) -> str:
    """Every department of a supermarket is more items than a growing shop has."""
    return Tier.SCALE if shop.departments is None else Tier.GROWTH


def stock_shelf(*, tenant: Tenant) -> bool:
    """Put the files of a shop into the storage; whether that took a recast.

    Shops that are loaded side by side are recast at once, by whichever comes first; the others wait for it.
    """
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s, 0)", [_SHELF_LOCK])
        if shelf.is_stocked(tenant.pk):
            return False
        missing = {each.slug: each.pk for each in selectors.demo_tenants() if not shelf.is_stocked(each.pk)}
        shelf.stock(missing)
        return True


@transaction.atomic
def ask_for_load(*, is_quick: bool) -> None:
    """Ask for the loading of the shop in scope and for its first plan; a quick one asks for nothing after that."""
    steps = FIRST_STEPS if is_quick else (*FIRST_STEPS, CONTEST)
    start_chain(chain=(LOAD, *steps), as_of=tenant_by_id(current_tenant_id()).today())


@transaction.atomic
def go_on_loading(*, is_quick: bool) -> bool:
    """Ask for what is missing of the shop's loading, after whatever cut it off; False where nothing was."""
    if selectors.busy_job() is not None:
        return False
    if selectors.has_first_recommendations():
        if is_quick or selectors.jobs_of((CONTEST, settings.JOBS_FIRST_CONTEST[0])).exists():
            return False
        enqueue(kind_name=CONTEST, input={"as_of": tenant_by_id(current_tenant_id()).today().isoformat()},
                dedupe_key=CONTEST)
        return True
    last = selectors.jobs_of((LOAD, *FIRST_STEPS)).first()
    if last is not None and last.state in ("failed", "cancelled"):
        try:
            retry(job=last, actor=None, label=_("Loading the demo"))
        except NotNow:
            return False
    else:
        ask_for_load(is_quick=is_quick)
    return True


def start_contests() -> int:
    """Start the contest of models in every shop that has its plan, once no shop waits for its first one.

    The contest takes minutes on the queue that also makes first plans. Asked by each shop when it has come so far: the
    last one starts it for all. Called outside any shop's scope.
    """
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s, 0)", [_CONTEST_LOCK])
        ready = []
        for tenant in selectors.demo_tenants():
            with tenant_context(tenant.pk):
                if not selectors.has_first_recommendations():
                    if selectors.busy_job() is not None:
                        return 0
                elif (selectors.jobs_of((CONTEST,)).exists()
                      and not selectors.jobs_of((settings.JOBS_FIRST_CONTEST[0],)).exists()):
                    ready.append(tenant)
        for tenant in ready:
            with tenant_context(tenant.pk):
                start_chain(chain=settings.JOBS_FIRST_CONTEST, as_of=tenant.today())
        return len(ready)


@transaction.atomic
def let_days_in(*, days: int, actor: User | None, label: str = "") -> dt.date:
    """Ask for the next days of the demo in scope; the day on which it will then stand."""
    tenant = tenant_by_id(current_tenant_id())
    if not selectors.is_demo_shop(tenant):
        raise NotADemo(_("%(shop)s is no demo: its days pass by themselves.") % {"shop": tenant.name})
    if selectors.standing(tenant).is_over:
        raise YearIsOver(_("The year is over: 31 December was the last day that is known."))
    if selectors.busy_job() is not None:
        raise NotNow(_("The shop is busy with its day: let the next one in when that is done."))
    until = min(tenant.today() + dt.timedelta(days=max(days, 1)), ENDS_ON + dt.timedelta(days=1))
    enqueue(kind_name=ADVANCE, dedupe_key=ADVANCE,
            input={"as_of": tenant.today().isoformat(), "until": until.isoformat()})
    record_audit(tenant=tenant, actor=actor, label=label, action="demo.days_let_in", target=until.isoformat())
    return until


def steps_after(*, day: dt.date, until: dt.date) -> tuple[str, ...]:
    """What follows once a day is closed and the shop stands on `day`: judging daily, planning on Mondays."""
    steps: tuple[str, ...] = ("feedback.judge",)
    if day.weekday() == selectors.MONDAY:
        steps += ("forecasting.forecast", "optimization.plan", "portal.refresh")
    elif day >= until:
        steps += ("portal.refresh",)
    return (*steps, ADVANCE) if day < until else steps


@transaction.atomic
def close_day(*, day: dt.date, until: dt.date) -> dt.date:
    """Move the demo in scope to the day after `day` and ask for what follows, both or neither."""
    tenant = tenant_by_id(current_tenant_id())
    following = day + dt.timedelta(days=1)
    let_demo_day_pass(tenant=tenant, to=following)
    start_chain(chain=steps_after(day=following, until=until), as_of=following, until=until.isoformat())
    return following
