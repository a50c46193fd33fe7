"""What an admin enters for a mailbox."""

from __future__ import annotations

from connectors.kit.contract import Setting
from hub.core.sentences import sentence

SECURITY = (
    ("tls", sentence("TLS")),
    ("starttls", sentence("STARTTLS")),
    ("none", sentence("None (only in your own network)")),
)
SETTINGS = (
    Setting(name="to", label=sentence("Vendor's address"), help=sentence("The address to which our tickets are sent.")),
    Setting(
        name="senders",
        label=sentence("Who may reply"),
        help=sentence("The vendor's addresses and @domains, separated by commas. Mail from others changes nothing."),
    ),
    Setting(
        name="mailbox",
        label=sentence("Our address"),
        help=sentence("The sender address. Its mailbox has to support plus addressing (hub+tag@…)."),
    ),
    Setting(
        name="from_name",
        label=sentence("Our name"),
        help=sentence("The sender name in our messages."),
        is_required=False,
    ),
    Setting(
        name="imap_host",
        is_address=True,
        label=sentence("IMAP server"),
        help=sentence("The server of our mailbox."),
    ),
    Setting(
        name="imap_port",
        is_address=True,
        label=sentence("IMAP port"),
        default="993",
        is_required=False,
        is_rare=True,
    ),
    Setting(
        name="imap_security",
        is_address=True,
        label=sentence("IMAP encryption"),
        default="tls",
        is_required=False,
        choices=SECURITY,
        is_rare=True,
    ),
    Setting(
        name="folders",
        label=sentence("Folders"),
        help=sentence("The folders to read, separated by commas."),
        default="INBOX",
        is_required=False,
        is_rare=True,
    ),
    Setting(
        name="smtp_host",
        is_address=True,
        label=sentence("SMTP server"),
        help=sentence("The server that sends our mail."),
    ),
    Setting(
        name="smtp_port",
        is_address=True,
        label=sentence("SMTP port"),
        default="465",
        is_required=False,
        is_rare=True,
    ),
    Setting(
        name="smtp_security",
        is_address=True,
        label=sentence("SMTP encryption"),
        default="tls",
        is_required=False,
        choices=SECURITY,
        is_rare=True,
    ),
    Setting(
        name="user", label=sentence("User name"), help=sentence("The user of the mailbox, for both IMAP and SMTP.")
    ),
    Setting(name="password", label=sentence("Password"), is_secret=True, is_required=False),
    Setting(
        name="auth",
        label=sentence("Authentication"),
        default="password",
        is_required=False,
        choices=(
            ("password", sentence("User name and password")),
            ("microsoft", sentence("Microsoft 365 (OAuth 2)")),
            ("google", sentence("Gmail (OAuth 2)")),
        ),
        is_rare=True,
    ),
    Setting(
        name="tenant",
        label=sentence("Microsoft: tenant ID"),
        help=sentence("The ID of the Microsoft Entra tenant."),
        is_required=False,
        is_rare=True,
    ),
    Setting(name="client_id", label=sentence("OAuth: client ID"), is_required=False, is_rare=True),
    Setting(
        name="client_secret", label=sentence("OAuth: client secret"), is_secret=True, is_required=False, is_rare=True
    ),
    Setting(
        name="refresh_token", label=sentence("Gmail: refresh token"), is_secret=True, is_required=False, is_rare=True
    ),
    Setting(
        name="trust",
        label=sentence("Accept a reply if"),
        default="results",
        is_required=False,
        choices=(
            ("results", sentence("our mail server verified the sender (Authentication-Results)")),
            ("address", sentence("the sender address matches (anybody can forge it)")),
        ),
    ),
    Setting(
        name="authserv",
        label=sentence("Name of our mail server"),
        help=sentence("The first word of its Authentication-Results headers, such as mx.northwind.example."),
        is_required=False,
    ),
)
