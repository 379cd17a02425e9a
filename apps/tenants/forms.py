"""What people fill in: signing up, their shop, its people and keys."""

from __future__ import annotations

import datetime as dt
import re
from typing import TYPE_CHECKING, Any
from zoneinfo import available_timezones

from allauth.account.forms import SignupForm
from allauth.core import context
from django import forms
from django.http import HttpRequest
from django.utils import timezone
from django.utils.functional import lazystr
from django.utils.translation import gettext_lazy as _

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

CURRENCIES = [
    ("USD", _("US dollar")), ("EUR", _("Euro")), ("GBP", _("Pound sterling")), ("CNY", _("Chinese yuan")),
    ("JPY", _("Japanese yen")), ("AUD", _("Australian dollar")), ("BRL", _("Brazilian real")),
    ("CAD", _("Canadian dollar")), ("CHF", _("Swiss franc")), ("CLP", _("Chilean peso")),
    ("COP", _("Colombian peso")), ("CZK", _("Czech koruna")), ("DKK", _("Danish krone")), ("EGP", _("Egyptian pound")),
    ("HKD", _("Hong Kong dollar")), ("HUF", _("Hungarian forint")), ("IDR", _("Indonesian rupiah")),
    ("ILS", _("Israeli shekel")), ("INR", _("Indian rupee")), ("KES", _("Kenyan shilling")),
    ("KRW", _("South Korean won")), ("MXN", _("Mexican peso")), ("MYR", _("Malaysian ringgit")),
    ("NGN", _("Nigerian naira")), ("NOK", _("Norwegian krone")), ("NZD", _("New Zealand dollar")),
    ("PEN", _("Peruvian sol")), ("PHP", _("Philippine peso")), ("PLN", _("Polish złoty")), ("RON", _("Romanian leu")),
    ("SAR", _("Saudi riyal")), ("SEK", _("Swedish krona")), ("SGD", _("Singapore dollar")), ("THB", _("Thai baht")),
    ("TRY", _("Turkish lira")), ("TWD", _("New Taiwan dollar")), ("UAH", _("Ukrainian hryvnia")),
    ("AED", _("UAE dirham")), ("VND", _("Vietnamese đồng")), ("ZAR", _("South African rand")),
    ("ARS", _("Argentine peso")), ("BDT", _("Bangladeshi taka")), ("BOB", _("Boliviano")),
    ("CRC", _("Costa Rican colón")), ("DOP", _("Dominican peso")), ("ETB", _("Ethiopian birr")),
    ("GEL", _("Georgian lari")), ("GHS", _("Ghanaian cedi")), ("GTQ", _("Guatemalan quetzal")),
    ("ISK", _("Icelandic króna")), ("JMD", _("Jamaican dollar")), ("JOD", _("Jordanian dinar")),
    ("KZT", _("Kazakhstani tenge")), ("KWD", _("Kuwaiti dinar")), ("MOP", _("Macanese pataca")),
    ("MAD", _("Moroccan dirham")), ("NIO", _("Nicaraguan córdoba")), ("PKR", _("Pakistani rupee")),
    ("PYG", _("Paraguayan guaraní")), ("RSD", _("Serbian dinar")), ("TZS", _("Tanzanian shilling")),
    ("TND", _("Tunisian dinar")), ("UGX", _("Ugandan shilling")), ("UYU", _("Uruguayan peso")),
    ("VES", _("Venezuelan bolívar")), ("ZMW", _("Zambian kwacha")),
]
# What a country pays with (ISO 4217); of those that are not named here, the dollar.
CURRENCY_OF = {
    **dict.fromkeys(("AT", "BE", "BG", "HR", "CY", "EE", "FI", "FR", "DE", "GR", "IE", "IT", "LV", "LT", "LU", "MT",
                     "NL", "PT", "SI", "SK", "ES"), "EUR"),
    "GB": "GBP", "CH": "CHF", "CN": "CNY", "JP": "JPY", "AU": "AUD", "BR": "BRL", "CA": "CAD", "CL": "CLP", "CO": "COP",
    "CZ": "CZK", "DK": "DKK", "EG": "EGP", "HK": "HKD", "HU": "HUF", "ID": "IDR", "IL": "ILS", "IN": "INR", "KE": "KES",
    "KR": "KRW", "MX": "MXN", "MY": "MYR", "NG": "NGN", "NO": "NOK", "NZ": "NZD", "PE": "PEN", "PH": "PHP", "PL": "PLN",
    "RO": "RON", "SA": "SAR", "SE": "SEK", "SG": "SGD", "TH": "THB", "TR": "TRY", "TW": "TWD", "UA": "UAH", "AE": "AED",
    "VN": "VND", "ZA": "ZAR", "AR": "ARS", "BD": "BDT", "BO": "BOB", "CR": "CRC", "DO": "DOP", "ET": "ETB", "GE": "GEL",
    "GH": "GHS", "GT": "GTQ", "IS": "ISK", "JM": "JMD", "JO": "JOD", "KZ": "KZT", "KW": "KWD", "MO": "MOP", "MA": "MAD",
    "NI": "NIO", "PK": "PKR", "PY": "PYG", "RS": "RSD", "TZ": "TZS", "TN": "TND", "UG": "UGX", "UY": "UYU", "VE": "VES",
    "ZM": "ZMW",
}
COUNTRIES = [
    ("AR", _("Argentina")), ("AU", _("Australia")), ("AT", _("Austria")), ("BD", _("Bangladesh")), ("BE", _("Belgium")),
    ("BO", _("Bolivia")), ("BR", _("Brazil")), ("BG", _("Bulgaria")), ("CA", _("Canada")), ("CL", _("Chile")),
    ("CN", _("China")), ("CO", _("Colombia")), ("CR", _("Costa Rica")), ("HR", _("Croatia")), ("CY", _("Cyprus")),
    ("CZ", _("Czechia")), ("DK", _("Denmark")), ("DO", _("Dominican Republic")), ("EC", _("Ecuador")),
    ("EG", _("Egypt")), ("SV", _("El Salvador")), ("EE", _("Estonia")), ("ET", _("Ethiopia")), ("FI", _("Finland")),
    ("FR", _("France")), ("GE", _("Georgia")), ("DE", _("Germany")), ("GH", _("Ghana")), ("GR", _("Greece")),
    ("GT", _("Guatemala")), ("HK", _("Hong Kong")), ("HU", _("Hungary")), ("IS", _("Iceland")), ("IN", _("India")),
    ("ID", _("Indonesia")), ("IE", _("Ireland")), ("IL", _("Israel")), ("IT", _("Italy")), ("JM", _("Jamaica")),
    ("JP", _("Japan")), ("JO", _("Jordan")), ("KZ", _("Kazakhstan")), ("KE", _("Kenya")), ("KW", _("Kuwait")),
    ("LV", _("Latvia")), ("LT", _("Lithuania")), ("LU", _("Luxembourg")), ("MO", _("Macao")), ("MY", _("Malaysia")),
    ("MT", _("Malta")), ("MX", _("Mexico")), ("MA", _("Morocco")), ("NL", _("Netherlands")), ("NZ", _("New Zealand")),
    ("NI", _("Nicaragua")), ("NG", _("Nigeria")), ("NO", _("Norway")), ("PK", _("Pakistan")), ("PA", _("Panama")),
    ("PY", _("Paraguay")), ("PE", _("Peru")), ("PH", _("Philippines")), ("PL", _("Poland")), ("PT", _("Portugal")),
    ("PR", _("Puerto Rico")), ("RO", _("Romania")), ("SA", _("Saudi Arabia")), ("RS", _("Serbia")),
    ("SG", _("Singapore")), ("SK", _("Slovakia")), ("SI", _("Slovenia")), ("ZA", _("South Africa")),
    ("KR", _("South Korea")), ("ES", _("Spain")), ("SE", _("Sweden")), ("CH", _("Switzerland")), ("TW", _("Taiwan")),
    ("TZ", _("Tanzania")), ("TH", _("Thailand")), ("TN", _("Tunisia")), ("TR", _("Türkiye")), ("UG", _("Uganda")),
    ("UA", _("Ukraine")), ("AE", _("United Arab Emirates")), ("GB", _("United Kingdom")), ("US", _("United States")),
    ("UY", _("Uruguay")), ("VE", _("Venezuela")), ("VN", _("Vietnam")), ("ZM", _("Zambia")), ("ZW", _("Zimbabwe")),
]
# How a country writes numbers; of those that are not named here, as in 1,234.50.
NUMBERS_OF = {
    **dict.fromkeys(("AR", "AT", "BE", "BO", "BR", "CL", "CO", "CR", "CY", "DE", "DK", "EC", "ES", "GR", "HR", "ID",
                     "IS", "IT", "LU", "MO", "NL", "PY", "PT", "RO", "RS", "SI", "TR", "UY", "VE", "VN"), "de-de"),
    **dict.fromkeys(("BG", "CZ", "EE", "FI", "FR", "GE", "HU", "KZ", "LT", "LV", "NO", "PL", "SE", "SK", "UA"),
                    "fr-fr"),
    "CH": "de-ch"}
NUMBER_CHOICES = [("en-us", "1,234.50"), ("de-de", "1.234,50"), ("fr-fr", "1\u202f234,50"), ("de-ch", "1’234.50")]
# The clock of a country, in the zone where most of it lives; of those that are not named here, UTC.
ZONE_OF = {country: f"{area}/{place}" for area, places in {
    "Africa": {"EG": "Cairo", "ET": "Addis_Ababa", "GH": "Accra", "KE": "Nairobi", "MA": "Casablanca", "NG": "Lagos",
               "TN": "Tunis", "TZ": "Dar_es_Salaam", "UG": "Kampala", "ZA": "Johannesburg", "ZM": "Lusaka",
               "ZW": "Harare"},
    "America": {"AR": "Argentina/Buenos_Aires", "BO": "La_Paz", "BR": "Sao_Paulo", "CA": "Toronto", "CL": "Santiago",
                "CO": "Bogota", "CR": "Costa_Rica", "DO": "Santo_Domingo", "EC": "Guayaquil", "GT": "Guatemala",
                "JM": "Jamaica", "MX": "Mexico_City", "NI": "Managua", "PA": "Panama", "PE": "Lima",
                "PR": "Puerto_Rico", "PY": "Asuncion", "SV": "El_Salvador", "US": "New_York", "UY": "Montevideo",
                "VE": "Caracas"},
    "Asia": {"AE": "Dubai", "BD": "Dhaka", "CN": "Shanghai", "CY": "Nicosia", "GE": "Tbilisi", "HK": "Hong_Kong",
             "ID": "Jakarta", "IL": "Jerusalem", "IN": "Kolkata", "JO": "Amman", "JP": "Tokyo", "KR": "Seoul",
             "KW": "Kuwait", "KZ": "Almaty", "MO": "Macau", "MY": "Kuala_Lumpur", "PH": "Manila", "PK": "Karachi",
             "SA": "Riyadh", "SG": "Singapore", "TH": "Bangkok", "TW": "Taipei", "VN": "Ho_Chi_Minh"},
    "Atlantic": {"IS": "Reykjavik"}, "Australia": {"AU": "Sydney"}, "Pacific": {"NZ": "Auckland"},
    "Europe": {"AT": "Vienna", "BE": "Brussels", "BG": "Sofia", "CH": "Zurich", "CZ": "Prague", "DE": "Berlin",
               "DK": "Copenhagen", "EE": "Tallinn", "ES": "Madrid", "FI": "Helsinki", "FR": "Paris", "GB": "London",
               "GR": "Athens", "HR": "Zagreb", "HU": "Budapest", "IE": "Dublin", "IT": "Rome", "LT": "Vilnius",
               "LU": "Luxembourg", "LV": "Riga", "MT": "Malta", "NL": "Amsterdam", "NO": "Oslo", "PL": "Warsaw",
               "PT": "Lisbon", "RO": "Bucharest", "RS": "Belgrade", "SE": "Stockholm", "SI": "Ljubljana",
               "SK": "Bratislava", "TR": "Istanbul", "UA": "Kyiv"},
}.items() for country, place in places.items()}
CURRENCY_CHOICES = [(code, lazystr(f"{code} · {name}")) for code, name in CURRENCIES]
AREAS = ("Africa/", "America/", "Asia/", "Atlantic/", "Australia/", "Europe/", "Indian/", "Pacific/")


def time_zones() -> list[tuple[str, str]]:
    """Zones by the names of places; the old abbreviations and offsets are left out."""
    return [(zone, zone.replace("_", " ")) for zone in ("UTC", *sorted(
        zone for zone in available_timezones() if zone.startswith(AREAS)))]


def choices_with(choices: list[tuple[str, Any]], value: str) -> list[tuple[str, Any]]:
    """The choices, and what is already there: a form must never change a value by not knowing it."""
    return choices if not value or value in dict(choices) else [(value, value), *choices]


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
