//! The location table (N9).

use crate::facts::LocationId;
use crate::policy::{Location, departure::LocationClass};
use std::collections::BTreeMap;

/// Facilities of the Missouri Department of Mental Health, by identifier.
const FACILITIES: [(&str, &str); 27] = [
    ("b", "Fulton State Hospital"),
    ("c", "Northwest Missouri Psychiatric Rehabilitation Center"),
    ("d", "Southwest Missouri Psychiatric Rehabilitation Center"),
    ("e", "Southeast Missouri Mental Health Center"),
    ("f", "Saint Louis Psychiatric Rehabilitation Center"),
    ("g", "Marshall Habilitation Center"),
    ("h", "Bellefontaine Habilitation Center"),
    ("i", "Metropolitan Saint Louis Psychiatric Center"),
    ("k", "Albany Regional Center"),
    ("l", "Kirksville Regional Center"),
    ("m", "Hannibal Regional Center"),
    ("n", "Kansas City Regional Center"),
    ("p", "Springfield Regional Center"),
    ("q", "Rolla Regional Center"),
    ("r", "Poplar Bluff Regional Center"),
    ("s", "Sikeston Regional Center"),
    ("t", "Saint Louis DDTC"),
    ("u", "Center for Behavioral Medicine (including Paseo)"),
    ("v", "Higginsville Habilitation Center"),
    ("w", "Saint Louis Regional Center"),
    ("x", "Nevada Habilitation Center"),
    ("1", "Hawthorn Child Psychiatric Hospital"),
    ("3", "Central Missouri Regional Center"),
    ("4", "Cottonwood Residential Treatment Center"),
    ("6", "Southeast Missouri Residential Services"),
    ("7", "Missouri Sexual Offender Treatment Center"),
    ("9", "Joplin Regional Center"),
];

/// The location table of the Missouri Department of Mental Health: what `locations` may be in the YAML.
#[must_use]
pub fn default_locations() -> BTreeMap<LocationId, Location> {
    let facilities = FACILITIES.map(|(id, name)| (id, name, LocationClass::Facility));
    let others = [
        ("z", "Central Office", LocationClass::CentralOffice),
        ("y", "All contract providers", LocationClass::Unstated),
    ];
    let all = facilities.into_iter().chain(others);
    all.filter_map(|(id, name, class)| {
        LocationId::new(id)
            .ok()
            .map(|id| (id, Location { name: name.to_owned(), class, security_officer: Vec::new() }))
    })
    .collect()
}

/// A location by its identifier: as it is written, else ignoring case.
#[must_use]
pub fn find_location<'a>(
    locations: &'a BTreeMap<LocationId, Location>,
    id: &LocationId,
) -> Option<(&'a LocationId, &'a Location)> {
    locations.get_key_value(id).or_else(|| {
        let folded = id.folded();
        locations.iter().find(|(known, _)| known.folded() == folded)
    })
}
