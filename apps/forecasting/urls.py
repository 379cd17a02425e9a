"""Where models are found."""

from django.urls import path

from apps.forecasting import views

app_name = "forecasting"
urlpatterns = [
    path("demand/", views.demand, name="demand"),
    path("models/", views.models, name="models"),
    path("models/contest/", views.compare, name="compare"),
    path("models/back/", views.roll_back, name="roll_back"),
    path("models/<int:pk>/", views.version, name="version"),
    path("models/<int:pk>/promote/", views.promote, name="promote"),
    path("models/<int:pk>/again/", views.retrain, name="retrain"),
]
