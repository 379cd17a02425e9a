"""Where purchase orders are found."""

from django.urls import path

from apps.inventory import views

app_name = "inventory"
urlpatterns = [
    path("orders/", views.orders, name="orders"),
    path("orders/<int:pk>/", views.order, name="order"),
    path("orders/<int:pk>/lines/<int:line_pk>/", views.change_line, name="line"),
    path("orders/<int:pk>/approve/", views.approve, name="approve"),
    path("orders/<int:pk>/send/", views.send, name="send"),
    path("orders/<int:pk>/receive/", views.receive, name="receive"),
    path("orders/<int:pk>/cancel/", views.cancel, name="cancel"),
    path("orders/<int:pk>/export/", views.export, name="export"),
    path("orders/<int:pk>/print/", views.printable, name="print"),
]
