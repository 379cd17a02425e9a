"""Registers the app of tenants and people; who signs in stands in a shop from then on."""

from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class TenantsConfig(AppConfig):
    name = "apps.tenants"
    label = "tenants"
    verbose_name = _("Tenants and people")
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from django.contrib.auth.signals import user_logged_in

        from apps.tenants.middleware import stand_in_first_shop

        user_logged_in.connect(stand_in_first_shop, dispatch_uid="tenants.stand_in_first_shop")
