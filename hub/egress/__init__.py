"""The one function every outbound call goes through; the policy is injected.

A name is resolved once, every address it has is checked, and the connection is made to a checked
address with the original host name (Host header and TLS SNI). No proxies from the environment,
no redirects. Rules: docs/security.md.
"""

from .policy import EgressDenied, Policy
from .session import open_session
from .sockets import dial

__all__ = ["EgressDenied", "Policy", "dial", "open_session"]
