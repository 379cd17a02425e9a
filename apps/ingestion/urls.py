"""Where data comes in and is looked after."""

from django.urls import path

from apps.ingestion import views

app_name = "ingestion"
urlpatterns = [
    path("", views.health, name="health"),
    path("imports/", views.imports, name="imports"),
    path("imports/<int:pk>/", views.file, name="file"),
    path("imports/<int:pk>/rows/", views.rows, name="rows"),
    path("imports/<int:pk>/set-aside/", views.set_rows_aside, name="set-rows-aside"),
    path("unusual/", views.unusual, name="unusual"),
    path("connections/", views.connections, name="connections"),
    path("connections/<int:pk>/disconnect/", views.disconnect, name="disconnect"),
]
