"""Writes two files from the newest API models.

cognito-members.json: user pools and app clients. The tests of the update bodies read it: every field of the model must have a
rule, and pools are generated from its shapes.
watched-api.json: every operation that the program calls, all operations of Cognito, and each shape of their requests and responses.
Only this script reads it: a change there may affect a migration without being a field of a pool.

Run it after a release of botocore, and review the difference before you commit it:

    python3 -m venv venv && venv/bin/pip install --upgrade botocore && venv/bin/python core/tests/data/update-members.py

With --check it writes nothing, prints the changes, and exits with 1 if there are any. It uses no network itself.
"""

import json
import pathlib
import re
import sys

import botocore
import botocore.loaders

ROOTS = ["UserPoolType", "UpdateUserPoolRequest", "UserPoolClientType", "UpdateUserPoolClientRequest"]

loader = botocore.loaders.Loader()
model = loader.load_service_model("cognito-idp", "service-2")


def fact(shape):
    """The parts of a shape that decide which values it takes, without its documentation."""
    fact = {"type": shape["type"]}
    if "members" in shape:
        fact["members"] = {name: member["shape"] for name, member in shape["members"].items()}
    for role in ("member", "key", "value"):
        if role in shape:
            fact[role] = shape[role]["shape"]
    for limit in ("enum", "required", "min", "max"):
        if limit in shape:
            fact[limit] = shape[limit]
    return fact


def reached(shapes, roots):
    """The facts of these shapes and of all that they are made of."""
    facts = {}
    pending = list(roots)
    while pending:
        name = pending.pop()
        if name in facts:
            continue
        facts[name] = fact(shapes[name])
        pending += facts[name].get("members", {}).values()
        pending += [facts[name][role] for role in ("member", "key", "value") if role in facts[name]]
    return dict(sorted(facts.items()))


def called():
    """The operations that the program calls, by the service's name in IAM: each call names its action."""
    sources = pathlib.Path(__file__).parents[3] / "src/aws"
    calls = {"cognito-idp": set(model["operations"])}
    for source in sources.glob("*.rs"):
        code = source.read_text().split("#[cfg(test)]")[0]
        for service, action in re.findall(r'"([a-z-]+):([A-Z][A-Za-z]+)"', code):
            calls.setdefault(service, set()).add({"InvokeFunction": "Invoke"}.get(action, action))
    return calls


def watched():
    """Every operation with its shapes, by service."""
    services = {}
    for service, operations in sorted(called().items()):
        api = loader.load_service_model(service, "service-2")
        told = {}
        roots = []
        for name in sorted(operations):
            operation = api["operations"][name]
            ends = [operation[end]["shape"] for end in ("input", "output") if end in operation]
            errors = sorted(error["shape"] for error in operation.get("errors", []))
            told[name] = [*ends, *errors]
            roots += ends
        services[service] = {"operations": told, "shapes": reached(api["shapes"], roots)}
    return services


document = {
    "source": f"botocore {botocore.__version__}, cognito-idp {model['metadata']['apiVersion']}",
    "shapes": reached(model["shapes"], ROOTS),
}
target = pathlib.Path(__file__).with_name("cognito-members.json")
watch = {"source": f"botocore {botocore.__version__}", "services": watched()}
watch_target = target.with_name("watched-api.json")


def compact(value, depth=0):
    """One line a shape or operation, so that a difference can be read."""
    if depth == 4 or not isinstance(value, dict):
        return json.dumps(value, ensure_ascii=False)
    lines = [f'{json.dumps(name)}: {compact(part, depth + 1)}' for name, part in value.items()]
    return "{\n" + ",\n".join(lines) + "\n}"


if "--check" not in sys.argv[1:]:
    target.write_text(json.dumps(document, indent=1, ensure_ascii=False) + "\n")
    watch_target.write_text(compact(watch) + "\n")
    sys.exit()

known = json.loads(target.read_text())


def lines(value, path=""):
    """One line a fact, so that a difference can be read."""
    if isinstance(value, dict):
        return {line for name, part in value.items() for line in lines(part, f"{path}.{name}" if path else name)}
    return {f"{path} = {value}"}


def differences(known, now, member):
    old, new = lines(known[member]), lines(now[member])
    return [f"- {line}" for line in sorted(old - new)] + [f"+ {line}" for line in sorted(new - old)]


watch_known = json.loads(watch_target.read_text())
news = differences(known, document, "shapes")
api_news = differences(watch_known, watch, "services")
print(f"{known['source']} -> {document['source']}: {len(news)} differences in pools and clients", *news, sep="\n")
print(f"{watch_known['source']} -> {watch['source']}: {len(api_news)} differences in all that is called", *api_news, sep="\n")
sys.exit(1 if news or api_news else 0)
