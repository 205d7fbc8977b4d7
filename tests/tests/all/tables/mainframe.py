#!/usr/bin/python3
"""A mainframe for tests: accounts in the JSON file that the first argument names."""

import json
import sys

path = sys.argv[1]
with open(path, encoding="utf-8") as file:
    accounts = json.load(file)
request = json.loads(sys.stdin.readline())
operation = request["operation"]


def folded(texts):
    return [text.lower() for text in texts]


def asked_for(account):
    return any(
        account["user_id"].lower() in folded(keys["user_ids"])
        or account.get("employee_number") in keys["employee_numbers"]
        or account["id"] in keys["ids"]
        for keys in request["people"]
    )


def account():
    return next((a for a in accounts if a["id"] == request["account"]["id"]), None)


def named(name):
    return next((a for a in accounts if a["user_id"].lower() == name.lower()), None)


def resolved():
    wanted = request["account"]
    return named(wanted["user_id"]) if wanted["id"].startswith("new:") else account()


def saved(answer):
    with open(path, "w", encoding="utf-8") as file:
        json.dump(accounts, file)
    return answer


def holds(what, found):
    if what == "create":
        return found is not None
    if found is None:
        return False
    if what == "grant":
        return found["enabled"] and found.get("roles", []) == request["roles"]
    return found["user_id"].lower() == request["wanted"]["user_id"].lower()


def give():
    assert request["version"] == 2
    found = resolved()
    if holds(operation, found):
        mine = found.get("employee_number") == request["account"].get("employee_number")
        return {"outcome": "already"} if mine else {"outcome": "refused", "message": "the name is another's"}
    if operation == "create":
        wanted = request["wanted"]
        accounts.append({
            "id": str(len(accounts) + 1), "user_id": wanted["user_id"].upper(), "enabled": False,
            "last_name": wanted["last_name"], "employee_number": wanted["employee_number"], "roles": [],
        })
        return saved({"outcome": "changed"})
    if found is None:
        return {"outcome": "drifted", "message": "the account is gone"}
    if operation == "grant":
        found["enabled"], found["roles"] = True, request["roles"]
        return saved({"outcome": "changed"})
    before = found["user_id"]
    found["user_id"], found["last_name"] = request["wanted"]["user_id"], request["wanted"]["last_name"]
    return saved({"outcome": "changed", "before": {"user_id": [before]}})


def change():
    found = account()
    if found is None or (operation == "revoke" and not found["enabled"]):
        return {"outcome": "already"}
    if found["user_id"].lower() != request["account"]["user_id"].lower():
        return {"outcome": "drifted", "message": "the owner is another"}
    before = {"enabled": [str(found["enabled"])]}
    if operation == "delete":
        accounts.remove(found)
    else:
        found["enabled"] = False
    with open(path, "w", encoding="utf-8") as file:
        json.dump(accounts, file)
    return {"outcome": "changed", "before": before}


def look():
    if request["look_for"] in ("create", "grant", "rename"):
        done = holds(request["look_for"], resolved())
        return {"seen": "as_wanted"} if done else {"seen": "otherwise"}
    assert request["version"] == 1
    found = account()
    done = found is None or (request["look_for"] == "revoke" and not found["enabled"])
    return {"seen": "as_wanted"} if done else {"seen": "otherwise", "message": "still open"}


with open(path + ".log", "a", encoding="utf-8") as file:
    file.write(operation + "\n")
if operation == "observe":
    answer = {"accounts": [a for a in accounts if asked_for(a)]}
elif operation == "list":
    answer = {"accounts": accounts}
elif operation == "look":
    answer = look()
elif operation == "probe":
    answer = {"checks": [{"what": "the file with the accounts"}]}
elif operation in ("create", "grant", "rename"):
    answer = give()
else:
    answer = change()
print(json.dumps(answer))
