"""What people say when they change the model in use."""

from __future__ import annotations

from django import forms
from django.utils.translation import gettext_lazy as _


class ReasonForm(forms.Form):
    """Why: it stands in the model's history."""

    reason = forms.CharField(label=_("Why"), min_length=3, max_length=300,
                             help_text=_("It stands in the history for everyone who asks later."))
