"""Loads LDIF into a domain whose server is not running.  load.py SMB_CONF LDIF"""
import re
import sys

import ldb
from samba.auth import system_session
from samba.param import LoadParm
from samba.samdb import SamDB

BATCH = 200  # the time of one transaction grows with the square of its length

lp = LoadParm()
lp.load(sys.argv[1])
db = SamDB(url=lp.private_path("sam.ldb"), session_info=system_session(), lp=lp)
with open(sys.argv[2], encoding="utf-8") as file:
    text = re.sub(r"\n{3,}", "\n\n", file.read()).strip() + "\n"  # as this parser wants it
db.transaction_start()
for count, (change, message) in enumerate(db.parse_ldif(text)):
    if count % BATCH == BATCH - 1:
        db.transaction_commit()
        db.transaction_start()
    try:
        if change == ldb.CHANGETYPE_MODIFY:
            db.modify(message)
        else:
            db.add(message)
    except ldb.LdbError as error:
        sys.exit(f"{message.dn}: {error}")
db.transaction_commit()
