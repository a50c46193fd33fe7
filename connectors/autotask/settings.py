"""What an admin enters to connect to Autotask."""

from __future__ import annotations

from connectors.autotask.api import ZONE_LOOKUP
from connectors.autotask.reference import EXTERNAL_ID
from connectors.kit.contract import Setting
from hub.core.sentences import sentence

CREDENTIALS = (
    Setting(
        name="user_name",
        label=sentence("API user name"),
        help=sentence("The API-only user, such as abc123@TENANT.COM."),
    ),
    Setting(name="secret", label=sentence("Secret"), help=sentence("The API user's password."), is_secret=True),
    Setting(
        name="integration_code",
        label=sentence("Tracking identifier"),
        help=sentence("ApiIntegrationCode of the API user (Admin > Resources > API user)."),
        is_secret=True,
    ),
)
NEW_TICKETS = (
    Setting(
        name="company_id",
        label=sentence("Company"),
        help=sentence("Your organisation's company record in the vendor's Autotask."),
        picklist="company",
    ),
    Setting(
        name="more_companies",
        label=sentence("Additional companies"),
        help=sentence("Further company records of your organisation. Their tickets are synchronised as well."),
        is_required=False,
        picklist="company",
        is_many=True,
        is_rare=True,
    ),
    Setting(name="queue_id", label=sentence("Queue"), help=sentence("The queue for new tickets."), picklist="queue"),
    Setting(
        name="source_id",
        label=sentence("Source"),
        help=sentence("Needed only if the source of a ticket is a required field in the vendor's Autotask."),
        is_required=False,
        picklist="source",
        is_rare=True,
    ),
    Setting(
        name="note_type",
        label=sentence("Note type"),
        help=sentence("Type of the notes written by this hub. It does not affect who can read them."),
        picklist="noteType",
        default="1",
    ),
    Setting(
        name="reference_field",
        label=sentence("Field for the hub's ticket reference"),
        help=sentence("externalID, or the name of a user-defined field if another integration uses externalID."),
        is_required=False,
        default=EXTERNAL_ID,
        is_rare=True,
    ),
    Setting(
        name="impersonate_id",
        label=sentence("Write as resource"),
        help=sentence("The ID of a resource whose name appears on notes from this hub. Usually empty."),
        is_required=False,
        is_rare=True,
    ),
    Setting(
        name="due_hours",
        label=sentence("Hours until due"),
        help=sentence("The due date of new tickets, in hours from their creation. Autotask can require one."),
        is_required=False,
        default="24",
        is_rare=True,
    ),
)
ADDRESSES = (
    Setting(
        name="hook_secret",
        label=sentence("Webhook secret"),
        help=sentence(
            "Choose a secret of at most 64 characters. Autotask signs webhooks with it. Without a secret, webhooks are "
            "not used."
        ),
        is_secret=True,
        is_required=False,
    ),
    Setting(
        name="zone_lookup",
        is_address=True,
        label=sentence("Zone lookup"),
        help=sentence("The address that returns a database's zone. Change it only if the vendor asks you to."),
        is_required=False,
        default=ZONE_LOOKUP,
        is_rare=True,
    ),
)
SETTINGS = CREDENTIALS + NEW_TICKETS + ADDRESSES
