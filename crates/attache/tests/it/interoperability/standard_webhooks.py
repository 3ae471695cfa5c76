"""Checks an event by the library of Standard Webhooks, and by the function that docs/subscriptions.md has. What it
is told comes as JSON on standard input; it ends with an error at the first step that does not come out as it should."""

import json
import pathlib
import re
import sys

from standardwebhooks import Webhook, WebhookVerificationError

told = json.load(sys.stdin)
headers, body = told["headers"], told["body"].encode()

document = pathlib.Path(__file__).parents[5] / "docs" / "subscriptions.md"
[example] = re.findall(r"```python\n(import base64.*?)```", document.read_text(), re.DOTALL)
exec(example)

for secret in told["secrets"]:
    assert Webhook(secret).verify(body, headers) == json.loads(body)
    assert is_ours(secret, headers, body)

for secret, headers, body in [
    ("whsec_" + "A" * 43 + "=", headers, body),
    (told["secrets"][0], headers, body + b" "),
    (told["secrets"][0], headers | {"webhook-id": "another"}, body),
    (told["secrets"][0], headers | {"webhook-timestamp": str(int(headers["webhook-timestamp"]) - 3600)}, body),
]:
    assert not is_ours(secret, headers, body)
    try:
        Webhook(secret).verify(body, headers)
    except WebhookVerificationError:
        continue
    raise AssertionError("it was accepted")
