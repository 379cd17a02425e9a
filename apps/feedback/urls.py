"""Where verdicts are found."""

from django.urls import path

from apps.feedback import views

app_name = "feedback"
urlpatterns = [path("accuracy/", views.accuracy, name="accuracy")]
