#!/usr/bin/env bash
# flufl.bounce 6.0 (PyPI) with Python's email: no recipient is found in a bounce report of internationalised mail.
#
# Guess:     message/global-delivery-status (RFC 6533, section 5) has the fields of message/delivery-status, so the
#            failed recipient is found as in any other report, at least if the address is plain ASCII.
# Seen:      all_failures() returns two empty sets, even for an ASCII address. Python 3.11's parser splits only
#            message/delivery-status into its blocks; the internationalised type becomes one message whose headers are
#            the first block; the recipients' block is its body as text. The detector looks at
#            message/delivery-status only. No error is raised.
# Why it is met: a mail system that accepts SMTPUTF8 mail reports like this (Postfix does since 3.0). A help desk takes
#            the report for a new ticket, and keeps writing to an address that does not exist.
# Fails when: a recipient is found, or the part is split.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check flufl.bounce==6.0
"$folder/venv/bin/python" - <<'PYTHON'
from email import message_from_string

from flufl.bounce import all_failures

REPORT = """From: MAILER-DAEMON@mx.test
To: desk@northwind.test
Subject: Undelivered Mail Returned to Sender
MIME-Version: 1.0
Content-Type: multipart/report; report-type={kind}; boundary=b

--b
Content-Type: text/plain

It could not be delivered.
--b
Content-Type: message/{kind}

Reporting-MTA: dns; mx.test

Final-Recipient: rfc822; orders@vendor.test
Action: failed
Status: 5.1.1

--b--
"""
seen = {}
for kind in ("delivery-status", "global-delivery-status"):
    message = message_from_string(REPORT.format(kind=kind))
    _temporary, permanent = all_failures(message)
    blocks = message.get_payload()[1].get_payload()
    seen[kind] = (sorted(permanent), len(blocks))
    print(f"message/{kind}: failed {sorted(permanent)}, {len(blocks)} block(s)")
assert seen == {"delivery-status": ([b"orders@vendor.test"], 2), "global-delivery-status": ([], 1)}, seen
PYTHON
echo "flufl.bounce 6.0 finds nobody in message/global-delivery-status."
