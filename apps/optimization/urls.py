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
    path("plan/what-if/", views.what_if, name="what_if"),
    path("plan/what-if/<int:pk>/", views.scenario, name="scenario"),
    path("plan/what-if/<int:pk>/run/", views.run_scenario, name="run_scenario"),
    path("plan/what-if/<int:pk>/delete/", views.delete_scenario, name="delete_scenario"),
    path("plan/what-if/<int:pk>/export/", views.export_scenario, name="export_scenario"),
]
