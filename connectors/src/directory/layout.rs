//! The settings made ready for use: names resolved by kind, bases read.

use super::dialect::Dialect;
use super::dn::Dn;
use super::entry::Entry;
use super::exchange::Exchange;
use super::filter;
use super::settings::{AttributeNames, DirectorySettings, EmptyGroup, GroupClass, MemberBy};
use lapsed_core::facts::StableId;
use lapsed_core::observed::PersonKeys;

/// A place in the tree, as text for requests and folded for comparison.
#[derive(Debug, Clone)]
pub(super) struct Base {
    pub(super) text: String,
    pub(super) dn: Dn,
}

impl Base {
    fn all(texts: &[String]) -> Vec<Self> {
        let read = |text: &String| Some(Self { text: text.clone(), dn: Dn::parse(text).ok()? });
        texts.iter().filter_map(read).collect()
    }
}

/// Attributes by what they carry.
#[derive(Debug, Clone)]
pub(super) struct Names {
    pub(super) employee_number: String,
    pub(super) user_id: String,
    pub(super) last_name: String,
    pub(super) first_name: String,
    pub(super) description: String,
    pub(super) home: String,
    pub(super) uid_number: String,
    pub(super) mail: String,
    pub(super) mail_alias: String,
}

impl Names {
    fn of(given: &AttributeNames, dialect: &dyn Dialect) -> Self {
        let or = |name: &Option<String>, usual: &str| name.clone().unwrap_or_else(|| usual.into());
        Self {
            employee_number: or(&given.employee_number, "employeeNumber"),
            user_id: or(&given.user_id, dialect.user_id_attribute()),
            last_name: or(&given.last_name, "sn"),
            first_name: or(&given.first_name, "givenName"),
            description: or(&given.description, "description"),
            home: or(&given.home, "homeDirectory"),
            uid_number: or(&given.uid_number, "uidNumber"),
            mail: or(&given.mail, "mail"),
            mail_alias: or(&given.mail_alias, dialect.alias_attribute()),
        }
    }
}

/// Where things are and what they are called.
#[derive(Debug, Clone)]
pub(super) struct Layout {
    pub(super) people: Vec<Base>,
    pub(super) groups: Vec<Base>,
    /// Where names count as taken, each place once.
    pub(super) name_places: Vec<Base>,
    /// Groups whose members are protected.
    pub(super) protected_groups: Vec<Base>,
    pub(super) names: Names,
    /// Where an account says what is under way with it, or by which step it was made.
    pub(super) mark: String,
    pub(super) group_classes: Vec<GroupClass>,
    pub(super) empty_group: EmptyGroup,
    account_filters: Vec<String>,
    account_attributes: Vec<String>,
}

impl Layout {
    pub(super) fn of(
        settings: &DirectorySettings,
        dialect: &dyn Dialect,
        exchange: Option<&Exchange>,
    ) -> Self {
        let names = Names::of(&settings.attributes, dialect);
        let people = Base::all(&settings.people_base);
        let groups = Base::all(&settings.group_bases);
        let mut places = people.clone();
        places.extend(groups.iter().cloned());
        places.extend(Base::all(&settings.name_bases));
        let mut account_attributes = dialect.account_attributes();
        account_attributes.extend([
            names.employee_number.clone(),
            names.user_id.clone(),
            names.last_name.clone(),
            names.first_name.clone(),
            names.description.clone(),
            names.home.clone(),
            names.uid_number.clone(),
            names.mail.clone(),
            names.mail_alias.clone(),
            "displayName".into(),
            "cn".into(),
        ]);
        let create = settings.create.as_ref();
        let mark = create.and_then(|create| create.mark.clone());
        let mark = mark.unwrap_or_else(|| dialect.mark_attribute().to_owned());
        account_attributes.push(mark.clone());
        // A rename writes anew those that follow from a name or a location.
        account_attributes
            .extend(create.iter().flat_map(|create| create.attributes.keys().cloned()));
        let mailbox = exchange.into_iter().flat_map(Exchange::read);
        account_attributes.extend(mailbox.map(str::to_owned));
        account_attributes.sort_by_key(|name| name.to_ascii_lowercase());
        account_attributes.dedup_by(|a, b| a.eq_ignore_ascii_case(b));
        Self {
            people,
            groups,
            name_places: outermost(places),
            protected_groups: Base::all(&settings.protected.second_operator.groups),
            names,
            mark,
            group_classes: if settings.group_classes.is_empty() {
                dialect.group_classes()
            } else {
                settings.group_classes.clone()
            },
            empty_group: settings.empty_group.clone(),
            account_filters: account_filters(settings, dialect),
            account_attributes,
        }
    }

    /// The attributes of an account that are needed.
    pub(super) fn account_attributes(&self) -> Vec<&str> {
        self.account_attributes.iter().map(String::as_str).collect()
    }

    /// A filter for accounts that also satisfy `also`.
    pub(super) fn accounts(&self, also: Option<String>) -> String {
        let mut parts = self.account_filters.clone();
        parts.extend(also);
        filter::all(&parts)
    }

    /// A filter for groups of any configured kind, and `also`.
    pub(super) fn groups_filter(&self, also: Option<String>) -> String {
        let classes: Vec<String> = self
            .group_classes
            .iter()
            .map(|group| filter::equals("objectClass", &group.class))
            .collect();
        let mut parts = vec![filter::any(&classes)];
        parts.extend(also);
        filter::all(&parts)
    }

    /// A filter that the groups of an account satisfy: by its name, and by its log-on names.
    pub(super) fn has_member(&self, account: &Entry) -> String {
        let mut parts = Vec::new();
        for group in &self.group_classes {
            let values = self.member_values(group, account);
            parts.extend(values.iter().map(|value| filter::equals(&group.member, value)));
        }
        parts.sort();
        parts.dedup();
        filter::any(&parts)
    }

    /// How a group of this kind would name the account.
    pub(super) fn member_values(&self, group: &GroupClass, account: &Entry) -> Vec<String> {
        match group.by {
            MemberBy::DistinguishedName => vec![account.dn.clone()],
            MemberBy::UserId => account.all(&self.names.user_id),
        }
    }

    /// The kinds of group that this entry is.
    pub(super) fn classes_of<'a>(
        &'a self,
        group: &'a Entry,
    ) -> impl Iterator<Item = &'a GroupClass> {
        self.group_classes.iter().filter(|class| group.is_a(&class.class))
    }

    /// True when the object is below one of the bases.
    pub(super) fn is_below(bases: &[Base], dn: &str) -> bool {
        Dn::parse(dn).is_ok_and(|dn| bases.iter().any(|base| dn.is_under(&base.dn)))
    }

    /// One filter a key by which a person's accounts are found.
    pub(super) fn key_filters(&self, keys: &PersonKeys, dialect: &dyn Dialect) -> Vec<String> {
        let names = &self.names;
        let numbers = keys
            .employee_numbers
            .iter()
            .map(|n| filter::equals(&names.employee_number, n.as_str()));
        let ids = keys.user_ids.iter().map(|id| filter::equals(&names.user_id, id.as_str()));
        let objects = keys.ids.iter().filter_map(|id| dialect.id_filter(id));
        let homes = keys.homes.iter().map(|home| filter::equals(&names.home, home));
        numbers.chain(ids).chain(objects).chain(homes).collect()
    }

    /// True when one of the person's keys is on the account.
    pub(super) fn is_of(&self, account: &Entry, id: Option<&StableId>, keys: &PersonKeys) -> bool {
        let has = |attribute: &str, wanted: &str| {
            account.texts(attribute).any(|value| value.trim().to_lowercase() == wanted)
        };
        keys.ids.iter().any(|own| Some(own) == id)
            || keys.employee_numbers.iter().any(|n| has(&self.names.employee_number, &n.folded()))
            || keys.user_ids.iter().any(|user| has(&self.names.user_id, &user.folded()))
            || keys.homes.iter().any(|home| has(&self.names.home, &home.trim().to_lowercase()))
    }
}

fn account_filters(settings: &DirectorySettings, dialect: &dyn Dialect) -> Vec<String> {
    let mut filters: Vec<String> = if settings.account_classes.is_empty() {
        dialect.account_filters().iter().map(|&filter| filter.to_owned()).collect()
    } else {
        settings.account_classes.iter().map(|class| filter::equals("objectClass", class)).collect()
    };
    filters.extend(settings.account_filter.clone());
    filters
}

/// Bases that are not below another one, each once: nothing is listed twice.
fn outermost(bases: Vec<Base>) -> Vec<Base> {
    let mut kept: Vec<Base> = Vec::new();
    for base in bases {
        if kept.iter().any(|other| base.dn.is_under(&other.dn)) {
            continue;
        }
        kept.retain(|other| !other.dn.is_under(&base.dn));
        kept.push(base);
    }
    kept
}
