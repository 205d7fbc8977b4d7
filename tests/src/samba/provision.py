"""Makes a new domain lab.test in the folder given, with the units and the service account that every
test finds there.  provision.py FOLDER"""
import logging
import os
import sys

import samba.dsdb
from samba.auth import system_session
from samba.param import LoadParm
from samba.provision import provision
from samba.samdb import SamDB

folder = sys.argv[1]
seed = os.path.join(folder, "seed.conf")
with open(seed, "w") as file:
    file.write("[global]\n")  # so that nothing is read from /etc/samba
lp = LoadParm()
lp.load(seed)
logging.basicConfig(level=logging.ERROR)
# The access rights of sysvol can't be set in a user namespace, and no test looks at them.
result = provision(
    logging.getLogger(), system_session(), targetdir=folder, smbconf=None, realm="LAB.TEST",
    domain="LAB", hostname="dc1", hostip="127.0.0.1", adminpass=os.environ["ADMIN_PASSWORD"],
    serverrole="active directory domain controller",
    dom_for_fun_level=samba.dsdb.DS_DOMAIN_FUNCTION_2008_R2, dns_backend="NONE", use_ntvfs=False,
    skip_sysvolacl=True, lp=lp, backend_store="mdb", useeadb=True)
db = result.samdb
base = db.domain_dn()
for unit in ("People", "Groups", "Services", "Disabled"):
    db.add({"dn": f"OU={unit},{base}", "objectClass": "organizationalUnit"})
db.newuser("lapsed", os.environ["SERVICE_PASSWORD"], userou="OU=Services")
db.add_remove_group_members("Domain Admins", ["lapsed"])
