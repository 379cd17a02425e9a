"""The URL table."""

from django.contrib import admin
from django.urls import include, path

from apps.ingestion.webhooks import receive_shopify
from apps.tenants.operators import no_shortcut

handler400, handler403 = "config.errors.bad_request", "config.errors.denied"
handler404, handler500 = "config.errors.not_found", "config.errors.failed"
handler429 = "apps.tenants.views.too_many"
urlpatterns = [
    path("admin/r/<path:rest>", no_shortcut),
    path("admin/", admin.site.urls),
    path("accounts/", include("allauth.account.urls")),
    path("api/", include("config.api")),
    path("", include("apps.portal.urls")),
    path("", include("apps.tenants.urls")),
    path("", include("apps.optimization.urls")),
    path("", include("apps.forecasting.urls")),
    path("", include("apps.feedback.urls")),
    path("", include("apps.inventory.urls")),
    path("", include("apps.alerts.urls")),
    path("data/", include("apps.ingestion.urls")),
    path("hooks/shopify/<slug:slug>/", receive_shopify, name="shopify-hook"),
    path("jobs/", include("apps.jobs.urls")),
    path("demo/", include("apps.demo.urls")),
]
