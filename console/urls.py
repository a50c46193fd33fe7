from django.urls import path
app_name="console"
urlpatterns = [path("first-run/", lambda r: None, name="first_run"), path("t/<str:public_id>/", lambda r: None, name="ticket"),path("login", lambda r: None, name="log_in"),path("", lambda r: None, name="board")]
