"""Where a demo's days are let in."""

from django.urls import path

from apps.demo import views

app_name = "demo"
urlpatterns = [
    path("", views.demo, name="demo"),
    path("bar/", views.bar, name="bar"),
    path("days/", views.days, name="days"),
]
