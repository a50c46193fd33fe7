"""What an admin enters for a mailbox."""

from __future__ import annotations

from connectors.kit.contract import Setting

SECURITY = (("tls", "TLS from the first byte"), ("starttls", "STARTTLS"), ("none", "None (own network only)"))
SETTINGS = (
    Setting(name="to", label="Their address", help="Where our tickets are sent to."),
    Setting(
        name="senders",
        label="Who may answer",
        help="Addresses and @domains of theirs, separated by commas. Nobody else moves anything.",
    ),
    Setting(
        name="mailbox", label="Our address", help="What we write from; it has to take plus addressing (hub+tag@…)."
    ),
    Setting(name="from_name", label="Our name", help="Shown as the sender.", is_required=False),
    Setting(name="imap_host", is_address=True, label="Mailbox: server", help="The IMAP server."),
    Setting(name="imap_port", is_address=True, label="Mailbox: port", default="993", is_required=False, is_rare=True),
    Setting(
        name="imap_security",
        is_address=True,
        label="Mailbox: encryption",
        default="tls",
        is_required=False,
        choices=SECURITY,
        is_rare=True,
    ),
    Setting(
        name="folders",
        label="Folders",
        help="Where mail is read, separated by commas.",
        default="INBOX",
        is_required=False,
        is_rare=True,
    ),
    Setting(name="smtp_host", is_address=True, label="Sending: server", help="The SMTP server."),
    Setting(name="smtp_port", is_address=True, label="Sending: port", default="465", is_required=False, is_rare=True),
    Setting(
        name="smtp_security",
        is_address=True,
        label="Sending: encryption",
        default="tls",
        is_required=False,
        choices=SECURITY,
        is_rare=True,
    ),
    Setting(name="user", label="User name", help="Of the mailbox; the same for sending."),
    Setting(name="password", label="Password", is_secret=True, is_required=False),
    Setting(
        name="auth",
        label="Log-in",
        default="password",
        is_required=False,
        choices=(
            ("password", "User name and password"),
            ("microsoft", "Microsoft 365 (OAuth 2)"),
            ("google", "Gmail (OAuth 2)"),
        ),
        is_rare=True,
    ),
    Setting(name="tenant", label="Microsoft: tenant", help="The directory's id.", is_required=False, is_rare=True),
    Setting(name="client_id", label="OAuth: client id", is_required=False, is_rare=True),
    Setting(name="client_secret", label="OAuth: client secret", is_secret=True, is_required=False, is_rare=True),
    Setting(name="refresh_token", label="Gmail: refresh token", is_secret=True, is_required=False, is_rare=True),
    Setting(
        name="trust",
        label="Their answers count when",
        default="results",
        is_required=False,
        choices=(
            ("results", "our mail server verified the sender (Authentication-Results)"),
            ("address", "the address is right (anybody can forge it)"),
        ),
    ),
    Setting(
        name="authserv",
        label="Name of our mail server",
        help="As it stands first in its Authentication-Results headers, like mx.northwind.example.",
        is_required=False,
    ),
)
