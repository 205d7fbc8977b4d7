//! The LDAP connector: Active Directory and OpenLDAP behind one contract.
