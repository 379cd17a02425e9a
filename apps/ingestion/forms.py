"""Forms of imports and connections."""

from __future__ import annotations

from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from apps.ingestion.adapters.columns import COLUMNS
from apps.ingestion.models import ImportFile


class UploadForm(forms.Form):
    """A file, and what it holds where the person knows better than its columns."""

    file = forms.FileField(label=_("CSV file"), widget=forms.ClearableFileInput(attrs={"accept": ".csv,.txt,.tsv"}))
    kind = forms.ChoiceField(label=_("What it holds"), required=False,
                             choices=[("", _("see by its columns")), *ImportFile.Kind.choices])


class UnusualForm(forms.Form):
    """How much a sale that looks out of the ordinary really sold."""

    line = forms.IntegerField(widget=forms.HiddenInput)
    quantity = forms.DecimalField(label=_("Right quantity"), min_value=0, max_digits=14, decimal_places=3)


class ConfirmForm(forms.Form):
    """Which column of the file is which, and how its values are written."""

    fold_locations = forms.CharField(label=_("Put all locations into one"), required=False, max_length=60,
                                     help_text=_("Its name, such as main; leave empty to keep locations apart."))
    unknown_items = forms.ChoiceField(label=_("Items that are not in the catalog"), choices=[
        ("make", _("make them")), ("set_aside", _("set their rows aside"))])
    numbers = forms.ChoiceField(label=_("Numbers are written"), choices=[("point", "1,234.56"), ("comma", "1.234,56")])
    dates = forms.ChoiceField(label=_("Dates such as 03/04/2025 mean"), choices=[
        ("mdy", _("March 4: the month first")), ("dmy", _("3 April: the day first"))])

    def __init__(self, data: Any = None, *, file: ImportFile) -> None:
        super().__init__(data, initial=file.options)
        self.file = file
        names = list(dict.fromkeys(name for name in file.dialect.get("header", ()) if name))
        kinds = ImportFile.Kind.choices if file.kind else [("", _("— please choose —")), *ImportFile.Kind.choices]
        self.fields["kind"] = forms.ChoiceField(label=_("What it holds"), choices=kinds, initial=file.kind)
        if not file.kind:
            self.fields = {"kind": self.fields["kind"]}
        for column in COLUMNS.get(file.kind, ()):
            self.fields[f"column_{column.name}"] = forms.ChoiceField(
                label=str(column.title), required=False, initial=file.mapping.get(column.name, ""),
                widget=forms.Select(attrs={"class": "form-select"}),
                choices=[("", _("— not in this file —")), *((name, name) for name in names)])
        if file.kind == ImportFile.Kind.ITEMS:
            del self.fields["unknown_items"]
        if file.kind in (ImportFile.Kind.ITEMS, ImportFile.Kind.SUPPLIERS):
            del self.fields["fold_locations"], self.fields["dates"]

    def mapping(self) -> dict[str, str]:
        """Canonical column to the file's column; empty for one that is left out."""
        prefix = "column_"
        return {name.removeprefix(prefix): value for name, value in self.cleaned_data.items()
                if name.startswith(prefix)}

    def options(self) -> dict[str, str]:
        return {name: self.cleaned_data[name] for name in ("fold_locations", "unknown_items", "numbers", "dates")
                if name in self.cleaned_data}


class ShopifyForm(forms.Form):
    """A Shopify shop that is to send its orders."""

    name = forms.CharField(label=_("Name"), max_length=120, initial="Shopify")
    shop_domain = forms.CharField(label=_("Address of the shop"), max_length=200,
                                  widget=forms.TextInput(attrs={"placeholder": "my-shop.myshopify.com"}))
    secret = forms.CharField(label=_("Signing secret"), max_length=200, required=False,
                             widget=forms.PasswordInput(attrs={"autocomplete": "off"}),
                             help_text=_("From Shopify: Settings, Notifications, Webhooks (“signed with”), or an app's "
                                         "client secret. Empty: one is made and shown once."))
