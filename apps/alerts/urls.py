"""Where alerts are found."""

from django.urls import path

from apps.alerts import views

app_name = "alerts"
urlpatterns = [
    path("alerts/", views.alerts, name="alerts"),
    path("alerts/<int:pk>/seen/", views.seen, name="seen"),
    path("alerts/<int:pk>/resolve/", views.resolve, name="resolve"),
]
