"""What people fill in: signing up, their shop, its people and keys."""

from __future__ import annotations

import datetime as dt
import re
from decimal import Decimal
from typing import TYPE_CHECKING, Any
from zoneinfo import available_timezones

from allauth.account.forms import SignupForm
from allauth.core import context
from django import forms
from django.http import HttpRequest
from django.utils import timezone
from django.utils.functional import lazystr
from django.utils.translation import gettext_lazy as _

from apps.tenants.countries import COUNTRIES, CURRENCIES, CURRENCY_OF, NUMBERS_OF, ZONE_OF
from apps.tenants.figures import NotANumber, exact, plain_number
from apps.tenants.middleware import enter_shop
from apps.tenants.models import Invitation, Permission, Role, Tenant, User
from apps.tenants.selectors import invitation_by_token
from apps.tenants.services import make_tenant

if TYPE_CHECKING:
    TenantModelForm = forms.ModelForm[Tenant]
    UserModelForm = forms.ModelForm[User]
else:
    TenantModelForm = UserModelForm = forms.ModelForm

INVITATION_KEY = "invitation"

NUMBER_CHOICES = [("en-us", "1,234.50"), ("de-de", "1.234,50"), ("fr-fr", "1\u202f234,50"), ("de-ch", "1’234.50")]
CURRENCY_CHOICES = [(code, lazystr(f"{code} · {name}")) for code, name in CURRENCIES]
AREAS = ("Africa/", "America/", "Asia/", "Atlantic/", "Australia/", "Europe/", "Indian/", "Pacific/")


def time_zones() -> list[tuple[str, str]]:
    """Zones by the names of places; the old abbreviations and offsets are left out."""
    return [(zone, zone.replace("_", " ")) for zone in ("UTC", *sorted(
        zone for zone in available_timezones() if zone.startswith(AREAS)))]


def choices_with(choices: list[tuple[str, Any]], value: str) -> list[tuple[str, Any]]:
    """The choices, and what is already there: a form must never change a value by not knowing it."""
    return choices if not value or value in dict(choices) else [(value, value), *choices]


class _AsShopsWrite(forms.Field):
    """A number shown, and taken, as the shop writes numbers; a browser's own box for numbers follows the browser."""

    widget = forms.TextInput(attrs={"inputmode": "decimal", "autocomplete": "off"})

    def prepare_value(self, value: Any) -> Any:
        return exact(value) if isinstance(value, int | float | Decimal) else value

    def to_python(self, value: Any) -> Any:
        try:
            return super().to_python(plain_number(value) if isinstance(value, str) and value.strip() else value)
        except NotANumber as refused:
            raise forms.ValidationError(str(refused), code="invalid") from refused


class ShopFloatField(_AsShopsWrite, forms.FloatField):
    pass


class ShopDecimalField(_AsShopsWrite, forms.DecimalField):
    pass


class ShopFields(forms.Form):
    """The facts of a shop that everything else is reckoned in."""

    shop_name = forms.CharField(label=_("Name of your shop"), max_length=120)
    currency = forms.ChoiceField(label=_("Currency"), choices=[("", _("The country's own")), *CURRENCY_CHOICES],
                                 required=False, help_text=_("All money is shown in it."))
    time_zone = forms.ChoiceField(label=_("Time zone"), choices=lambda: [("", _("The country's own")), *time_zones()],
                                  required=False, help_text=_("Where your business day begins and ends."),
                                  widget=forms.Select(attrs={"data-guess-zone": ""}))
    country = forms.ChoiceField(label=_("Country"), choices=[("", _("Choose …")), *COUNTRIES],
                                help_text=_("For holidays, and for what else you do not choose here."))

    def shop(self) -> dict[str, Any]:
        country = self.cleaned_data["country"]
        return {"country": country, "locale": NUMBERS_OF.get(country, "en-us"),
                "time_zone": self.cleaned_data["time_zone"] or ZONE_OF.get(country, "UTC"),
                "currency": self.cleaned_data["currency"] or CURRENCY_OF.get(country, "USD")}


def country_spoken_of(request: Any) -> str:
    """The country in the browser's languages, as in de-CH; empty where none is named or it is not among the choices."""
    asked = request.headers.get("Accept-Language", "") if request is not None else ""
    found = re.search(r"[A-Za-z]{2,3}-([A-Za-z]{2})\b", asked)
    country = found[1].upper() if found else ""
    return country if country in dict(COUNTRIES) else ""


class SignUpForm(SignupForm, ShopFields):
    """Makes a person and their shop; who was invited joins that shop instead."""

    name = forms.CharField(label=_("Your name"), max_length=120,
                           widget=forms.TextInput(attrs={"autocomplete": "name"}))
    field_order = ["name", "email", "password1", "password2", "shop_name", "country", "currency", "time_zone"]

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["email"].label = _("E-mail")
        for field in self.fields.values():
            field.widget.attrs.pop("placeholder", None)
        self.fields["country"].initial = country_spoken_of(context.request)
        self.invitation = open_invitation(context.request)
        if self.invitation is not None:
            for name in ("shop_name", "country", "currency", "time_zone"):
                del self.fields[name]
            self.fields["email"].initial = self.invitation.email
            self.fields["email"].widget.attrs["readonly"] = True

    def clean_email(self) -> str:
        email: str = super().clean_email()
        if self.invitation is not None and email.lower() != self.invitation.email.lower():
            raise forms.ValidationError(_("The invitation was sent to another address."))
        return email

    def save(self, request: HttpRequest) -> User:
        user: User = super().save(request)
        user.name = self.cleaned_data["name"]
        user.save(update_fields=["name"])
        if self.invitation is None:
            tenant = make_tenant(name=self.cleaned_data["shop_name"], owner=user, **self.shop())
            enter_shop(request, tenant.pk)
        return user


def open_invitation(request: Any) -> Invitation | None:
    """The invitation that this visitor came by, while it is open."""
    token = request.session.get(INVITATION_KEY) if request is not None else None
    return invitation_by_token(token) if token else None


class NewShopForm(ShopFields):
    """A shop for somebody who is already here."""


class ShopForm(TenantModelForm):
    """The shop's own facts, changed later."""

    currency = forms.ChoiceField(label=_("Currency"), help_text=_("What is already recorded is not converted."))
    time_zone = forms.ChoiceField(label=_("Time zone"), help_text=_("Where your business day begins and ends."))
    country = forms.ChoiceField(label=_("Country"), help_text=_("For its public holidays."))
    locale = forms.ChoiceField(label=_("Numbers"), help_text=_("How they are written on all pages."))

    class Meta:
        model = Tenant
        fields = ("name", "country", "currency", "time_zone", "locale")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for name, choices in (("currency", CURRENCY_CHOICES), ("time_zone", time_zones()), ("country", COUNTRIES),
                              ("locale", NUMBER_CHOICES)):
            field = self.fields[name]
            assert isinstance(field, forms.ChoiceField)
            field.choices = choices_with(choices, getattr(self.instance, name))


class ProfileForm(UserModelForm):
    """How a person is called."""

    class Meta:
        model = User
        fields = ("name",)
        labels = {"name": _("Your name")}


class InviteForm(forms.Form):
    """Somebody to join."""

    email = forms.EmailField(label=_("E-mail"))
    role = forms.ChoiceField(label=_("Role"), choices=Role.choices, initial=Role.PLANNER)


class RoleForm(forms.Form):
    """Another role for a member."""

    role = forms.ChoiceField(label=_("Role"), choices=Role.choices)


class KeyForm(forms.Form):
    """A program's key: what it may do, and until when."""

    LIVES = [("30", _("30 days")), ("90", _("90 days")), ("365", _("a year")), ("", _("no end"))]

    name = forms.CharField(label=_("What will use it?"), max_length=80)
    permissions = forms.MultipleChoiceField(
        label=_("It may"), widget=forms.CheckboxSelectMultiple, initial=[Permission.READ],
        choices=[choice for choice in Permission.choices if choice[0] != Permission.ADMINISTER])
    days = forms.ChoiceField(label=_("Works for"), choices=LIVES, initial="365", required=False)

    def expires_at(self) -> dt.datetime | None:
        days = self.cleaned_data["days"]
        return timezone.now() + dt.timedelta(days=int(days)) if days else None
