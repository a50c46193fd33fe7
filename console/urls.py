"""The URLs of the console."""

from __future__ import annotations

from django.contrib.auth.views import LoginView, LogoutView
from django.urls import path

from console.views import (
    account,
    attachments,
    board,
    connections,
    engagements,
    first_run,
    guest_link,
    major_incidents,
    notices,
    sync,
    ticket_actions,
    ticket_list,
    ticket_page,
    triage,
    vendors,
)

app_name = "console"

urlpatterns = [
    path("", board.board, name="board"),
    path("live/", board.live, name="live"),
    path("tickets/", ticket_list.ticket_list, name="tickets"),
    path("tickets/new/", ticket_actions.open_ticket, name="open"),
    path("tickets/<str:public_id>/", ticket_page.ticket_page, name="ticket"),
    path("tickets/<str:public_id>/move/", ticket_actions.move, name="move"),
    path("tickets/<str:public_id>/hand-over/", engagements.hand_over, name="hand_over"),
    path("tickets/<str:public_id>/comment/", ticket_actions.comment, name="comment"),
    path("tickets/<str:public_id>/reply/", ticket_actions.reply, name="reply"),
    path("tickets/<str:public_id>/legs/<str:leg_id>/", engagements.act_on_leg, name="leg"),
    path("tickets/<str:public_id>/priority/", ticket_actions.priority, name="priority"),
    path("tickets/<str:public_id>/triage/", triage.start_triage, name="start_triage"),
    path("tickets/<str:public_id>/triage/decide/", triage.decide, name="decide"),
    path("tickets/<str:public_id>/escalations/<str:run_id>/", ticket_actions.acknowledge, name="acknowledge"),
    path("tickets/<str:public_id>/major/", major_incidents.major, name="major"),
    path("vendors/", vendors.vendors, name="vendors"),
    path("notices/", notices.notices, name="notices"),
    path("notices/read/", notices.read_notices, name="read_notices"),
    path("files/<str:public_id>/", attachments.attachment, name="attachment"),
    path("sync/", sync.sync, name="sync"),
    path("sync/connections/<str:public_id>/", connections.connection, name="connection"),
    path("sync/connections/<str:public_id>/map/<int:row_id>/", connections.give_meaning, name="give_meaning"),
    path("sync/outbound/<int:row_id>/say/", connections.say_as_comment, name="say_as_comment"),
    path("sync/<str:kind>/<int:row_id>/retry/", sync.retry, name="retry"),
    path("sync/inbound/<int:row_id>/", sync.inbound, name="inbound"),
    path("sync/inbound/<int:row_id>/vouch/", sync.vouch, name="vouch"),
    path("sync/inbound/<int:row_id>/alike/", sync.retry_alike, name="retry_alike"),
    path("sync/inbound/<int:row_id>/leave-out/", sync.leave_inbound, name="leave_inbound"),
    path("sync/outbound/<int:row_id>/skip/", sync.skip, name="skip"),
    path("sync/action/<int:row_id>/dismiss/", sync.dismiss, name="dismiss"),
    path("sync/file/<int:row_id>/fetch/", sync.fetch_file, name="fetch_file"),
    path("sync/file/<int:row_id>/leave-out/", sync.leave_file, name="leave_file"),
    path("sync/acknowledgements/<int:row_id>/leave-out/", sync.leave_acknowledgements, name="leave_acknowledgements"),
    path("sync/difference/<int:row_id>/", sync.difference, name="difference"),
    path("sync/difference/<int:row_id>/settle/", sync.settle, name="settle"),
    path("tickets/<str:public_id>/legs/<str:leg_id>/door/", engagements.leg_guest_link, name="leg_guest_link"),
    path("v/<str:token>/", guest_link.guest_link, name="guest_link"),
    path("v/<str:token>/files/<str:public_id>/", guest_link.guest_link_file, name="guest_link_file"),
    path("log-in/", LoginView.as_view(template_name="console/log_in.html"), name="log_in"),
    path("log-out/", LogoutView.as_view(), name="log_out"),
    path("account/", account.account, name="account"),
    path("account/log-out-everywhere/", account.log_out_everywhere, name="log_out_everywhere"),
    path("password/", account.password_reset, name="password_reset"),
    path("password/<str:uidb64>/<str:token>/", account.NewPassword.as_view(), name="password_new"),
    path("first-run/", first_run.first_run, name="first_run"),
]
