"""Writes cognito-members.json: what the newest API model says about user pools and app clients.

The tests of the update bodies read it: every member of the model must have a rule, and pools are generated from its shapes.
Run it when botocore has news, and look at the difference before committing it:

    python3 -m venv venv && venv/bin/pip install --upgrade botocore && venv/bin/python core/tests/data/update-members.py

With --check it writes nothing, says what is new, and ends with 1 where something is. Needs no network by itself.
"""

import json
import pathlib
import sys

import botocore
import botocore.loaders

ROOTS = ["UserPoolType", "UpdateUserPoolRequest", "UserPoolClientType", "UpdateUserPoolClientRequest"]

model = botocore.loaders.Loader().load_service_model("cognito-idp", "service-2")
shapes = model["shapes"]


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


facts = {}
pending = list(ROOTS)
while pending:
    name = pending.pop()
    if name in facts:
        continue
    facts[name] = fact(shapes[name])
    pending += facts[name].get("members", {}).values()
    pending += [facts[name][role] for role in ("member", "key", "value") if role in facts[name]]

document = {
    "source": f"botocore {botocore.__version__}, cognito-idp {model['metadata']['apiVersion']}",
    "shapes": dict(sorted(facts.items())),
}
target = pathlib.Path(__file__).with_name("cognito-members.json")
if "--check" not in sys.argv[1:]:
    target.write_text(json.dumps(document, indent=1, ensure_ascii=False) + "\n")
    sys.exit()

known = json.loads(target.read_text())


def lines(document):
    """One line a fact, so that a difference can be read."""
    return {
        f"{name}.{key}" + (f".{member}" if isinstance(part, dict) else "") + f" = {value}"
        for name, fact in document["shapes"].items()
        for key, part in fact.items()
        for member, value in (part.items() if isinstance(part, dict) else [("", part)])
    }


news = [f"- {line}" for line in sorted(lines(known) - lines(document))]
news += [f"+ {line}" for line in sorted(lines(document) - lines(known))]
print(f"{known['source']} -> {document['source']}: {len(news)} differences", *news, sep="\n")
sys.exit(1 if news else 0)
