"""Outbound connections: every call to another system goes through this package, with an injected policy.

A host name is resolved once, all its addresses are checked, and the connection is made to a checked
address with the original host name (Host header and TLS SNI). Proxies from the environment are not
used and redirects are not followed. The rules are in docs/security.md.
"""

from .keep_alive import kept
from .policy import EgressDenied, Policy
from .session import open_session
from .sockets import dial

__all__ = ["EgressDenied", "Policy", "dial", "kept", "open_session"]
