"""Changes what only the server itself writes, in the database of a server that runs.
relax.py SMB_CONF LDIF"""
import sys

from samba.auth import system_session
from samba.param import LoadParm
from samba.samdb import SamDB

lp = LoadParm()
lp.load(sys.argv[1])
db = SamDB(url=lp.private_path("sam.ldb"), session_info=system_session(), lp=lp)
with open(sys.argv[2], encoding="utf-8") as file:
    db.modify_ldif(file.read(), controls=["relax:0"])
