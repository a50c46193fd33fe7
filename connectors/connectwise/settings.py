"""What an admin enters to connect to ConnectWise PSA."""

from __future__ import annotations

from connectors.kit.contract import Setting
from hub.core.sentences import sentence

CREDENTIALS = (
    Setting(
        name="site",
        is_address=True,
        label=sentence("Site"),
        help=sentence("Where the vendor's people log in: na.myconnectwise.net, for example, or their own server."),
    ),
    Setting(
        name="company",
        label=sentence("Company"),
        help=sentence("The company name that the vendor's people enter when they log in."),
    ),
    Setting(
        name="public_key",
        label=sentence("Public key"),
        help=sentence("From the API member (System > Members > API Members > API Keys)."),
    ),
    Setting(
        name="private_key",
        label=sentence("Private key"),
        help=sentence("Shown only once, when the keys are created."),
        is_secret=True,
    ),
    Setting(
        name="client_id",
        label=sentence("Client ID"),
        help=sentence("The GUID of the integration."),
        is_secret=True,
    ),
    Setting(
        name="member",
        label=sentence("API member"),
        help=sentence("The member ID of the API member that the keys belong to."),
    ),
)
NEW_TICKETS = (
    Setting(
        name="company_id",
        label=sentence("Our company"),
        help=sentence("Your organisation's company record in the vendor's ConnectWise."),
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
    Setting(
        name="board_id",
        label=sentence("Board"),
        help=sentence("The service board for new tickets."),
        picklist="queue",
    ),
)
BEHAVIOUR = (
    Setting(
        name="version",
        label=sentence("API version"),
        help=sentence("The version of the API model to request. The server may be newer."),
        is_required=False,
        default="2025.1",
        is_rare=True,
    ),
    Setting(
        name="times",
        label=sentence("Times in conditions"),
        help=sentence("Leave the Z out only if the vendor's server misreads times."),
        is_required=False,
        default="zone",
        choices=(("zone", sentence("09:30:00Z (usual)")), ("naive", "09:30:00")),
        is_rare=True,
    ),
    Setting(
        name="notify",
        label=sentence("E-mail notifications"),
        help=sentence("Whether ConnectWise sends e-mail notifications about what this hub writes."),
        is_required=False,
        default="no",
        choices=(("no", sentence("No")), ("yes", sentence("Yes"))),
        is_rare=True,
    ),
)
SETTINGS = CREDENTIALS + NEW_TICKETS + BEHAVIOUR
