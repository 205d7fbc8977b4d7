//! Homes that are made, and moved on a rename.

use super::*;
use crate::home::maker::Move;
use std::os::unix::fs::MetadataExt as _;

fn making() -> Homes {
    let mut homes = Homes::new();
    homes.settings.create = Some(Default::default());
    homes.settings.rename = true;
    homes
}

fn create(homes: &Homes, user_id: &str) -> Result<Outcome, Fault> {
    homes.keeper().create(&order(user_id), soon())
}

fn renaming(from: &str, to: &str) -> Move {
    Move { to: order(to), from: UserId::new(from).unwrap(), old_home: None }
}

fn rename(homes: &Homes, from: &str, to: &str) -> Result<Outcome, Fault> {
    homes.keeper().move_home(&renaming(from, to))
}

fn seen(homes: &Homes, from: &str, to: &str) -> Seen {
    homes.keeper().read_moved(&renaming(from, to)).unwrap()
}

fn mode(path: &Path) -> u32 {
    fs::symlink_metadata(path).unwrap().mode() & 0o7777
}

/// A skeleton with a file, a folder with a program in it, and a link that leads out.
fn skeleton(homes: &Homes) -> PathBuf {
    let skeleton = homes.folder.path().canonicalize().unwrap().join("skel");
    fs::create_dir_all(skeleton.join("bin")).unwrap();
    fs::write(skeleton.join(".profile"), "umask 077\n").unwrap();
    fs::write(skeleton.join("bin/hello"), "#!/bin/sh\n").unwrap();
    symlink("/etc/shadow", skeleton.join("way-out")).unwrap();
    for (path, mode) in [("", 0o755), ("bin", 0o750), (".profile", 0o644), ("bin/hello", 0o4755)] {
        fs::set_permissions(skeleton.join(path), Permissions::from_mode(mode)).unwrap();
    }
    skeleton
}

#[test]
fn a_home_is_made_for_its_owner_alone_and_once() {
    let homes = making();
    assert!(matches!(homes.keeper().read_created(&order("mzsmitj")), Ok(Seen::Otherwise(_))));
    let Ok(Outcome::Changed(receipt)) = create(&homes, "mzsmitj") else { panic!("not made") };
    let home = homes.root().join("mzsmitj");
    assert_eq!(receipt.before["made"], [home.display().to_string()]);
    assert_eq!(mode(&home), 0o700);
    assert_eq!(fs::read_dir(&home).unwrap().count(), 0);
    assert_eq!(homes.keeper().read_created(&order("mzsmitj")), Ok(Seen::AsWanted));
    fs::write(home.join("plan"), "12345").unwrap();
    assert_eq!(create(&homes, "mzsmitj"), Ok(Outcome::AlreadySo));
    assert!(home.join("plan").exists());
    assert_eq!(homes.quarantined(), [] as [&str; 0]);
}

#[test]
fn a_home_begins_with_the_skeleton_and_nothing_in_it_is_followed() {
    let mut homes = making();
    homes.settings.create.as_mut().unwrap().skeleton = Some(skeleton(&homes));
    assert!(matches!(create(&homes, "mzsmitj"), Ok(Outcome::Changed(_))));
    let home = homes.root().join("mzsmitj");
    assert_eq!(fs::read_to_string(home.join(".profile")).unwrap(), "umask 077\n");
    assert_eq!((mode(&home.join(".profile")), mode(&home.join("bin"))), (0o644, 0o750));
    assert_eq!(mode(&home.join("bin/hello")), 0o755, "no rights are lent");
    assert_eq!(fs::read_link(home.join("way-out")).unwrap(), Path::new("/etc/shadow"));
}

#[test]
fn what_a_crash_left_of_a_home_is_begun_anew() {
    let mut homes = making();
    homes.settings.create.as_mut().unwrap().skeleton = Some(skeleton(&homes));
    let half = format!(".lapsed-quarantine/{}.new", order("mzsmitj").step);
    fs::create_dir_all(homes.root().join(&half).join("bin")).unwrap();
    fs::write(homes.root().join(&half).join(".profile"), "half").unwrap();
    assert!(matches!(create(&homes, "mzsmitj"), Ok(Outcome::Changed(_))));
    let profile = homes.root().join("mzsmitj/.profile");
    assert_eq!(fs::read_to_string(profile).unwrap(), "umask 077\n");
    assert_eq!(homes.quarantined(), [] as [&str; 0]);
}

#[test]
fn a_skeleton_that_others_can_write_to_is_not_copied() {
    let mut homes = making();
    let skeleton = skeleton(&homes);
    fs::set_permissions(skeleton.join("bin"), Permissions::from_mode(0o777)).unwrap();
    homes.settings.create.as_mut().unwrap().skeleton = Some(skeleton);
    let made = create(&homes, "mzsmitj");
    assert!(
        matches!(&made, Err(Fault::Retry(why)) if why.message.contains("writable")),
        "{made:?}"
    );
    assert!(!homes.root().join("mzsmitj").exists());
}

#[test]
fn a_link_or_a_file_in_the_place_of_a_home_is_refused() {
    let homes = making();
    let outside = homes.outside();
    symlink(&outside, homes.root().join("mzsmitj")).unwrap();
    fs::write(homes.root().join("mbdoej"), "").unwrap();
    for user_id in ["mzsmitj", "mbdoej"] {
        let why = refusal(create(&homes, user_id));
        assert!(why.contains("symbolic link or is no folder"), "{why}");
    }
    let why = refusal(rename(&homes, "mzsmitj", "mzjonej"));
    assert!(why.contains("symbolic link"), "{why}");
}

#[test]
fn without_the_mark_of_the_file_system_nothing_is_made_or_moved() {
    let homes = making();
    homes.home("mzsmitj");
    fs::remove_dir(homes.root().join(".lapsed-quarantine")).unwrap();
    for result in [create(&homes, "mbdoej"), rename(&homes, "mzsmitj", "mzjonej")] {
        assert!(matches!(&result, Err(Fault::Retry(why)) if why.message.contains("mounted")));
    }
}

#[test]
fn homes_are_neither_made_nor_moved_where_the_settings_do_not_say_so() {
    let homes = Homes::new();
    homes.home("mzsmitj");
    for result in [create(&homes, "mbdoej"), rename(&homes, "mzsmitj", "mzjonej")] {
        assert!(refusal(result).contains("write `"));
    }
}

#[test]
fn a_home_is_moved_whole_and_once() {
    let homes = making();
    homes.home("mzsmitj");
    assert!(matches!(seen(&homes, "mzsmitj", "mzjonej"), Seen::Otherwise(_)));
    let moved = rename(&homes, "mzsmitj", "mzjonej");
    let Ok(Outcome::Changed(receipt)) = moved else { panic!("{moved:?}") };
    let (old, new) = (homes.root().join("mzsmitj"), homes.root().join("mzjonej"));
    assert_eq!(receipt.before["moved_from"], [old.display().to_string()]);
    assert_eq!(fs::read_to_string(new.join("letters/one")).unwrap(), "123456");
    assert!(!old.exists());
    assert_eq!(seen(&homes, "mzsmitj", "mzjonej"), Seen::AsWanted);
    assert_eq!(rename(&homes, "mzsmitj", "mzjonej"), Ok(Outcome::AlreadySo));
}

#[test]
fn two_homes_are_for_a_person_to_tell_apart_and_none_needs_nothing() {
    let homes = making();
    let (old, new) = (homes.home("mzsmitj"), homes.home("mzjonej"));
    let why = refusal(rename(&homes, "mzsmitj", "mzjonej"));
    assert!(why.contains("as well as"), "{why}");
    assert!(old.join("plan").exists() && new.join("plan").exists());
    assert_eq!(rename(&homes, "nobody1", "nobody2"), Ok(Outcome::AlreadySo));
    assert_eq!(seen(&homes, "nobody1", "nobody2"), Seen::AsWanted);
}

#[test]
fn a_home_that_would_go_below_another_root_stays() {
    let mut homes = making();
    homes.home("a1");
    let other = homes.root().with_file_name("other");
    let path = format!(
        "{{% if user_id == 'a1' %}}{}{{% else %}}{}{{% endif %}}/{{{{ user_id }}}}",
        homes.root().display(),
        other.display()
    );
    homes.settings.roots.push(other);
    homes.settings.path = Some(path);
    let keeper = Keeper::new(homes.settings.clone());
    let why = refusal(keeper.move_home(&renaming("a1", "a2")));
    assert!(why.contains("another of `roots`"), "{why}");
}

#[test]
fn the_owner_is_the_account_by_its_new_name_and_nobody_elses_home_is_touched() {
    if !is_root("giving a home to another owner") {
        return;
    }
    let mut homes = making();
    homes.settings.owner_check = OwnerCheck::Name;
    homes.settings.create.as_mut().unwrap().skeleton = Some(skeleton(&homes));
    let daemon = nix::unistd::User::from_name("daemon").unwrap().unwrap();
    assert!(matches!(create(&homes, "daemon"), Ok(Outcome::Changed(_))));
    for path in ["", ".profile", "bin", "bin/hello", "way-out"] {
        let known = fs::symlink_metadata(homes.root().join("daemon").join(path)).unwrap();
        assert_eq!(
            (known.uid(), known.gid()),
            (daemon.uid.as_raw(), daemon.gid.as_raw()),
            "{path}"
        );
    }
    assert_ne!(fs::metadata("/etc/shadow").unwrap().uid(), daemon.uid.as_raw());
    fs::rename(homes.root().join("daemon"), homes.root().join("oldname")).unwrap();
    assert!(matches!(rename(&homes, "oldname", "daemon"), Ok(Outcome::Changed(_))));

    // Root's folder is nobody's home.
    homes.home("bin");
    assert!(refusal(create(&homes, "bin")).contains("another account"));
    assert!(refusal(rename(&homes, "bin", "sys")).contains("another account"));
    assert!(homes.root().join("bin/plan").exists());
    assert!(refusal(create(&homes, "root")).contains("root's"));
    // Just made in the directory, and not known here yet.
    let unknown = create(&homes, "mzsmitj");
    assert!(
        matches!(&unknown, Err(Fault::Retry(why)) if why.message.contains("yet")),
        "{unknown:?}"
    );
}

#[rstest]
#[case::named(Some(4_711), None)]
#[case::not_named(None, Some("named no `uidNumber`"))]
#[case::roots(Some(0), Some("root's"))]
fn a_new_home_belongs_to_the_number_of_the_directory(
    #[case] number: Option<u32>,
    #[case] refused: Option<&str>,
) {
    if !is_root("giving a home to another owner") {
        return;
    }
    let mut homes = making();
    homes.settings.owner_check = OwnerCheck::Uid;
    let order = Order { uid_number: number, ..order("mzsmitj") };
    let result = homes.keeper().create(&order, soon());
    match refused {
        None => {
            assert!(matches!(result, Ok(Outcome::Changed(_))), "{result:?}");
            assert_eq!(fs::metadata(homes.root().join("mzsmitj")).unwrap().uid(), 4_711);
            let order = Move {
                to: Order { user_id: UserId::new("mzjonej").unwrap(), ..order },
                ..renaming("mzsmitj", "x")
            };
            assert!(matches!(homes.keeper().move_home(&order), Ok(Outcome::Changed(_))));
            assert_eq!(fs::metadata(homes.root().join("mzjonej")).unwrap().uid(), 4_711);
        }
        Some(why) => assert!(refusal(result).contains(why)),
    }
}

#[test]
fn a_home_exchanged_for_a_link_at_any_moment_is_never_moved_or_followed() {
    let homes = making();
    let outside = homes.outside();
    let stop = std::sync::atomic::AtomicBool::new(false);
    std::thread::scope(|scope| {
        let (root, outside, stop) = (homes.root(), &outside, &stop);
        scope.spawn(move || {
            let home = root.join("mzsmitj");
            while !stop.load(std::sync::atomic::Ordering::Relaxed) {
                let _ = fs::create_dir(&home);
                let _ = fs::remove_dir(&home);
                let _ = symlink(outside, &home);
                let _ = fs::remove_file(&home);
            }
        });
        for _ in 0..300 {
            let _ = rename(&homes, "mzsmitj", "mzjonej");
            let moved = homes.root().join("mzjonej");
            let is_link = fs::symlink_metadata(&moved).is_ok_and(|known| known.is_symlink());
            let _ = fs::remove_dir(&moved);
            // A link can only stay where its old place was taken again before it could go back.
            if is_link {
                let _ = fs::remove_file(&moved);
            }
            assert!(outside.join("precious").exists());
        }
        stop.store(true, std::sync::atomic::Ordering::Relaxed);
    });
    assert_eq!(fs::read_dir(&outside).unwrap().count(), 1);
}

#[test]
fn the_helper_makes_and_moves_by_its_own_settings_for_the_daemon_only() {
    let homes = making();
    let name = ConnectorName::new("homes").unwrap();
    let known = BTreeMap::from([(name.clone(), homes.settings.clone())]);
    let line =
        |call: Call| serde_json::to_string(&Request { connector: name.clone(), call }).unwrap();
    let make = line(Call::Create { order: order("mzsmitj"), seconds: 60 });
    let refused = answer(&make, &known, Caller::Checker);
    assert!(matches!(refused, Reply::Failed(Fault::Refused(_))), "{refused:?}");
    let made = answer(&make, &known, Caller::Daemon);
    assert!(matches!(made, Reply::Done(Outcome::Changed(_))), "{made:?}");
    let moved =
        answer(&line(Call::Move { order: renaming("mzsmitj", "mzjonej") }), &known, Caller::Daemon);
    assert!(matches!(moved, Reply::Done(Outcome::Changed(_))), "{moved:?}");
    let out =
        answer(&line(Call::Move { order: renaming("mzjonej", "../x") }), &known, Caller::Daemon);
    assert!(matches!(out, Reply::Failed(Fault::Refused(_))), "{out:?}");
    assert!(homes.root().join("mzjonej").exists());
}
