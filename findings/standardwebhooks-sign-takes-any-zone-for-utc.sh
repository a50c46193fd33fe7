#!/usr/bin/env bash
# standardwebhooks 1.1.0 (PyPI): Webhook.sign() takes the clock time of a datetime for UTC, whatever its time zone is.
#
# Guess:     an aware datetime stands for an instant, so the same instant in two zones gives the same signature, and the
#            signed timestamp is int(datetime.timestamp()).
# Seen:      sign() replaces the time zone with UTC instead of converting. 16:02:10+01:00 is signed as 16:02:10 UTC, one hour
#            late. A naive datetime, which Python takes for local time, is taken for UTC as well. The JavaScript package
#            (npm, standardwebhooks 1.1.1) signs the instant.
# Why it is met: a sender that works in local time and writes int(at.timestamp()) into webhook-timestamp sends
#            signatures that no receiver accepts. In UTC, where most servers and tests run, nobody sees it.
# Fails when: both zones give the same signature.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check standardwebhooks==1.1.0
"$folder/venv/bin/python" - <<'PYTHON'
from datetime import UTC, datetime, timedelta, timezone

from standardwebhooks.webhooks import Webhook, WebhookVerificationError

SECRET, ID, DATA = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "msg_p5jXN8AQM9LWM0D4loKWxJek", '{"test": 2432232314}'
EXAMPLE = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="  # for the timestamp 1614265330
webhook = Webhook(SECRET)
in_utc = datetime.fromtimestamp(1614265330, tz=UTC)
elsewhere = in_utc.astimezone(timezone(timedelta(hours=1)))
assert in_utc == elsewhere

seen = {str(at): webhook.sign(ID, at, DATA) for at in (in_utc, elsewhere)}
for at, signature in seen.items():
    print(at, signature)
assert seen[str(in_utc)] == EXAMPLE
assert seen[str(elsewhere)] != EXAMPLE
assert seen[str(elsewhere)] == webhook.sign(ID, in_utc + timedelta(hours=1), DATA)

at = datetime.now(timezone(timedelta(hours=1)))
headers = {
    "webhook-id": ID, "webhook-timestamp": str(int(at.timestamp())), "webhook-signature": webhook.sign(ID, at, DATA)
}
try:
    webhook.verify(DATA, headers)
except WebhookVerificationError as error:
    print("its own verify() says:", error)
else:
    raise AssertionError("verified")
PYTHON
echo "sign() of standardwebhooks 1.1.0 takes any time zone for UTC."
