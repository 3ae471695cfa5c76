"""Lets Schemathesis ask a running server by its contracts, and counts what it answers.

Reads from standard input a JSON array of runs: `name`, `contract` (a file), `url`, `path`, `token`,
`line` (of the token; null when it is for no line), `device` (whether a token for a line leaves
"none" to be named, or a "phone" number or an "msisdn" that must agree), `phases` (of Schemathesis) and
`examples` (how many are made up of an operation). Of subscriptions all operations are asked. Writes a table of them to the
file that its argument names, and fails when Schemathesis has found something or fewer than a fifth of the
answers are 2xx.
"""

import json
import os
import sys
import tempfile

import schemathesis
from schemathesis.cli import schemathesis as st
from schemathesis.generation import GenerationMode

# Lines of the sandbox, in every state but "never seen", which is asked for on purpose below.
KNOWN = ["+33639980001", "+33639980002", "+33639980003", "+33639980004", "+33639980006", "+33699901032"]
NEVER_SEEN = "+33639980007"

# Nobody has it (RFC 6761, section 6.4).
SINK = "https://sink.invalid/fuzz"

# The Design Guide (3.2.1) leaves these undocumented.
UNDOCUMENTED = ["405", "406", "413", "415", "429", "503"]

CHECKS = [
    "not_a_server_error",
    "status_code_conformance",
    "content_type_conformance",
    "response_headers_conformance",
    "response_schema_conformance",
    "negative_data_rejection",
    "unsupported_method",
    "allow_header_conformance",
    "unavailable_only_if_never_seen",
]

CONFIG = """
[checks.not_a_server_error]
# That a 503 was asked for is held by a check of our own.
expected-statuses = ["2xx", "4xx", "503"]
"""

run = {}
statuses = {}
# The subscriptions that were made, to be read and deleted.
made = []


@schemathesis.hook
def before_load_schema(context, raw_schema):
    # The other paths are another test's subject.
    paths = raw_schema["paths"]
    raw_schema["paths"] = {path: paths[path] for path in paths if path.startswith(run["path"])}
    error = {"description": "ours", "content": {"application/json": {"schema": {"$ref": "#/components/schemas/ErrorInfo"}}}}
    for name in ("Ipv4Addr", "Ipv6Addr"):
        # In 0.4 their format forbids the masks that their pattern allows and that are read: a listed
        # difference.
        raw_schema["components"]["schemas"].get(name, {}).pop("format", None)
    for path in raw_schema["paths"].values():
        for operation in path.values():
            operation.pop("callbacks", None)
            for status in UNDOCUMENTED:
                operation["responses"].setdefault(status, error)
    if is_about_subscriptions():
        # That no line is known has its code in the guide alone; and who did not tell the device is not told it,
        # although older versions require it: listed differences.
        raw_schema["paths"][run["path"]]["post"]["responses"].setdefault("404", error)
        if run["line"] is not None and run["device"] == "phone":
            raw_schema["components"]["schemas"]["SubscriptionDetail"]["required"] = ["type"] if run["webhook"] else []


def is_about_subscriptions():
    return run["path"] == "/subscriptions"


@schemathesis.hook
def before_call(context, case, kwargs):
    # What is wrong on purpose stays wrong. Of what is right by the schema, hardly anything names a line
    # that exists: three of four requests are made to.
    if case.meta is None or case.meta.generation.mode != GenerationMode.POSITIVE:
        return
    turn = sum(statuses.values())
    if turn % 4 == 3:
        return
    if made and isinstance(case.path_parameters, dict) and "subscriptionId" in case.path_parameters:
        case.path_parameters["subscriptionId"] = made.pop() if case.method == "DELETE" else made[-1]
    if not isinstance(case.body, dict):
        return
    if run["line"] is None:
        # connected-network-type 0.2 has neither an error nor an answer for a line never seen: its
        # UNKNOWN without lastStatusTime is a listed difference, and is not asked for.
        known = KNOWN if "connected-network-type" in run["name"] else [*KNOWN, NEVER_SEEN]
        number = known[turn % len(known)]
    else:
        number = run["line"]
    names = case.body
    if is_about_subscriptions():
        names = possible(case.body)
    if run["device"] == "msisdn":
        names["ueId"] = {"msisdn": number}
    elif run["line"] is None or run["device"] == "phone":
        names["device"] = {"phoneNumber": number}
    else:
        names.pop("device", None)


def possible(body):
    """Makes a request for a subscription one that can be kept, and returns where it names the line."""
    if run["webhook"]:
        body["webhook"]["notificationUrl"] = SINK
        body["webhook"].pop("notificationAuthToken", None)
        body.pop("subscriptionExpireTime", None)
        return body["subscriptionDetail"]
    body["protocol"] = "HTTP"
    body["sink"] = SINK
    body.pop("sinkCredential", None)
    body["config"].pop("subscriptionExpireTime", None)
    if body["config"].get("subscriptionMaxEvents", 0) >= 2**32:
        body["config"]["subscriptionMaxEvents"] = 1
    return body["config"]["subscriptionDetail"]


@schemathesis.hook
def after_call(context, case, response):
    statuses[response.status_code] = statuses.get(response.status_code, 0) + 1
    if response.status_code == 201:
        answer = response.json()
        made.append(answer["subscriptionId"] if run["webhook"] else answer["id"])


@schemathesis.check
def unavailable_only_if_never_seen(context, response, case):
    if response.status_code == 503:
        assert NEVER_SEEN in json.dumps(case.body), "503 for a line that was seen"


def main():
    runs = json.load(sys.stdin)
    failed = []
    table = ["| contract and path | requests | answered 2xx | failures | statuses |", "|---|---|---|---|---|"]
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        with open("schemathesis.toml", "w") as config:
            config.write(CONFIG)
        for one in runs:
            run.clear()
            run.update(one)
            statuses.clear()
            made.clear()
            arguments = ["run", run["contract"], "--url", run["url"], "--header", f"Authorization: Bearer {run['token']}"]
            arguments += ["--checks", ",".join(CHECKS), "--phases", run["phases"]]
            arguments += ["--max-examples", str(run["examples"]), "--seed", "1", "--generation-deterministic"]
            arguments += ["--no-shrink", "--no-color", "--warnings", "off"]
            arguments += ["--suppress-health-check", "all", "--continue-on-failure", "--request-timeout", "10"]
            try:
                code = st.main(["--config-file", "schemathesis.toml", *arguments], standalone_mode=False)
            except SystemExit as exit:
                code = exit.code
            requests = sum(statuses.values())
            share = sum(count for status, count in statuses.items() if status // 100 == 2) / max(requests, 1)
            told = ", ".join(f"{status}: {count}" for status, count in sorted(statuses.items()))
            failures = "some" if code else "none"
            table.append(f"| {run['name']} | {requests} | {share:.0%} | {failures} | {told} |")
            if code or share < 0.2:
                failed.append(run["name"])
    with open(sys.argv[1], "w") as figures:
        figures.write("\n".join(table) + "\n")
    if failed:
        sys.exit(f"failed: {', '.join(failed)}")


main()
