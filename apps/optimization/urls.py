"""Where the plan and the decisions on it are found."""

from django.urls import path

from apps.optimization import views

app_name = "optimization"
urlpatterns = [
    path("replenish/", views.replenish, name="replenish"),
    path("replenish/decide/", views.decide, name="decide"),
    path("replenish/plan/", views.replan, name="replan"),
    path("replenish/export/", views.export, name="export"),
    path("replenish/<int:pk>/", views.line, name="line"),
]
