"""Where people find their shop, its people and its keys."""

from django.urls import path

from apps.tenants import views

app_name = "tenants"
urlpatterns = [
    path("settings/", views.shop, name="shop"),
    path("settings/people/", views.people, name="people"),
    path("settings/people/invite/", views.invite, name="invite"),
    path("settings/people/invitations/<int:pk>/withdraw/", views.withdraw, name="withdraw"),
    path("settings/people/<int:pk>/role/", views.change_role, name="role"),
    path("settings/people/<int:pk>/remove/", views.remove, name="remove"),
    path("settings/keys/", views.keys, name="keys"),
    path("settings/keys/<int:pk>/revoke/", views.revoke, name="revoke"),
    path("settings/audit/", views.audit, name="audit"),
    path("settings/profile/", views.profile, name="profile"),
    path("shops/switch/", views.switch_shop, name="switch"),
    path("shops/new/", views.new_shop, name="new_shop"),
    path("invitations/<str:token>/", views.invitation, name="invitation"),
]
