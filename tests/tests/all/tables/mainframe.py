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
else:
    answer = change()
print(json.dumps(answer))
