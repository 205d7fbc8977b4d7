//! Where an account's home is, in words only: nothing is looked at here.

use super::settings::{FromDirectory, HomeSettings, is_plain};
use lapsed_core::facts::UserId;
use std::ffi::OsString;
use std::path::{Component, Path, PathBuf};

/// A home's place below one of the roots.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// Which of the roots.
    pub root: PathBuf,
    /// Folders between the root and the home; often none.
    pub parents: PathBuf,
    /// The home's own name.
    pub name: OsString,
}

impl Place {
    /// The whole path, for people.
    #[must_use]
    pub fn shown(&self) -> String {
        self.root.join(&self.parents).join(&self.name).display().to_string()
    }
}

/// Where the home of an account is; `home` is what the directory says of it.
///
/// # Errors
/// Why there is no such place, or none that may be touched: one sentence with advice.
pub fn locate(
    settings: &HomeSettings,
    user_id: &UserId,
    home: Option<&str>,
) -> Result<Place, String> {
    let id = user_id.as_str();
    if id.contains(['/', '\\', '\0']) || id == "." || id == ".." {
        return Err("the user ID can't be a folder's name; see to the home by hand".into());
    }
    let path = match (&settings.path, &settings.from_directory) {
        (Some(template), _) => render(template, user_id)?,
        (None, Some(from)) => stated(from, user_id, home)?,
        (None, None) => return Err("no setting says where homes are; set `path`".into()),
    };
    below(settings, &path)
}

fn render(template: &str, user_id: &UserId) -> Result<PathBuf, String> {
    rendered(template, &[("user_id", user_id.as_str())])
        .map_err(|error| format!("`path` can't be filled in: {error}; mend the template"))
}

/// A path from a template of the configuration.
pub(super) fn rendered(
    template: &str,
    values: &[(&str, &str)],
) -> Result<PathBuf, minijinja::Error> {
    let environment = lapsed_core::template::strict(10_000);
    let values: std::collections::BTreeMap<String, String> =
        values.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
    environment.render_str(template, values).map(PathBuf::from)
}

/// The directory's own word, with a share replaced by the folder where it is mounted.
fn stated(from: &FromDirectory, user_id: &UserId, home: Option<&str>) -> Result<PathBuf, String> {
    let home = home.map(str::trim).filter(|home| !home.is_empty()).ok_or_else(|| {
        "the directory named no home when the plan was made; see to it by hand".to_owned()
    })?;
    let path = if home.starts_with('/') && !home.starts_with("//") {
        PathBuf::from(home)
    } else {
        mounted(from, &home.replace('\\', "/")).ok_or_else(|| {
            "the directory's home is on a share that is not under `from_directory.shares`; add it"
                .to_owned()
        })?
    };
    let last = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    if last.to_lowercase() != user_id.folded() {
        return Err(
            "the directory's home is not named like the user ID, so that it may be shared or \
             another's; see to it by hand"
                .into(),
        );
    }
    Ok(path)
}

fn mounted(from: &FromDirectory, home: &str) -> Option<PathBuf> {
    let parts: Vec<&str> = home.split('/').filter(|part| !part.is_empty()).collect();
    let fits = |share: &str| {
        let share = share.replace('\\', "/").to_lowercase();
        let wanted: Vec<String> =
            share.split('/').filter(|part| !part.is_empty()).map(str::to_owned).collect();
        let fits = !wanted.is_empty()
            && wanted.len() < parts.len()
            && wanted.iter().zip(&parts).all(|(one, other)| *one == other.to_lowercase());
        fits.then_some(wanted.len())
    };
    let (length, mount) = from
        .shares
        .iter()
        .filter_map(|(share, mount)| Some((fits(share)?, mount)))
        .max_by_key(|(length, _)| *length)?;
    Some(parts.iter().skip(length).fold(mount.clone(), |path, part| path.join(part)))
}

fn below(settings: &HomeSettings, path: &Path) -> Result<Place, String> {
    let outside = || "the home is not below one of `roots`; nothing outside is touched".to_owned();
    // `components` drops `.` and double slashes, so that only `..` can be left over.
    if !is_plain(path) {
        return Err(outside());
    }
    let root = settings
        .roots
        .iter()
        .filter(|root| path.starts_with(root))
        .max_by_key(|root| root.components().count())
        .ok_or_else(outside)?;
    let rest = path.strip_prefix(root).map_err(|_| outside())?;
    let name = rest.file_name().ok_or_else(outside)?.to_owned();
    if rest.components().next() == Some(Component::Normal(settings.quarantine.as_ref())) {
        return Err("the home would be the quarantine itself; nothing there is a home".into());
    }
    // A root within a home would be deleted with it.
    if settings.roots.iter().any(|other| other.starts_with(path)) {
        return Err("another of `roots` is within this home; see to it by hand".into());
    }
    let parents = rest.parent().unwrap_or(Path::new("")).to_owned();
    Ok(Place { root: root.clone(), parents, name })
}
