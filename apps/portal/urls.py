"""Where the pages that look across apps are found."""

from django.urls import path

from apps.portal import views

app_name = "portal"
urlpatterns = [
    path("", views.today, name="today"),
    path("items/", views.items, name="items"),
    path("items/export/", views.export_items, name="export_items"),
    path("items/<int:pk>/", views.item, name="item"),
    path("items/<int:pk>/terms/", views.change_terms, name="terms"),
    path("settings/planning/", views.planning, name="planning"),
]
