//! Evidence of a departure and of its being put back, checked by the script of the docs, which knows nothing of
//! lapsed's code; and who was cut off late.

use super::{Stage, consent, held};
use lapsed_tests::process::plain_command;
use std::path::{Path, PathBuf};

fn script() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/verify_evidence.py")
}

fn verdict(file: &Path, key: Option<&Path>) -> (i32, String) {
    let mut command = plain_command("python3");
    command.arg(script()).arg(file);
    if let Some(key) = key {
        command.arg(key);
    }
    let output = command.output().unwrap();
    let said = [output.stdout, output.stderr].concat();
    (output.status.code().unwrap_or(-1), String::from_utf8_lossy(&said).into_owned())
}

/// The public key, beside the signing key.
fn public_key(root: &Path) -> PathBuf {
    let mut found: Vec<PathBuf> = std::fs::read_dir(root)
        .unwrap()
        .flatten()
        .map(|file| file.path())
        .filter(|path| path.to_string_lossy().ends_with(".pub"))
        .collect();
    found.pop().unwrap()
}

#[test]
fn a_script_that_knows_nothing_of_lapsed_finds_the_evidence_sound_and_any_changed_byte() {
    let stage = Stage::new().unwrap();
    let user_id = stage.cut_off(2).unwrap();
    let view = held(&stage.site, &user_id).unwrap();
    consent(&stage.site, &user_id, &view).unwrap();
    let over = || Ok(stage.site.json(&["restore", &user_id])?["state"] == "done");
    stage.site.wait_for("it is over", over).unwrap();
    let out = stage.site.path("out");
    std::fs::create_dir(&out).unwrap();
    stage.site.printed(&["evidence", &user_id, "--out", &out.display().to_string()]).unwrap();

    let json = out.join(format!("evidence-{user_id}.json"));
    let text = std::fs::read_to_string(&json).unwrap();
    for said in [
        "restore.consented",
        "evidence.made",
        "step.verified",
        "A typo of HR's",
        "read_back",
        "D10",
    ] {
        assert!(text.contains(said), "{said}");
    }
    let html = std::fs::read_to_string(out.join(format!("evidence-{user_id}.html"))).unwrap();
    assert!(html.contains("restore.consented") && html.contains("@media print"));
    for fetched in ["<script", "http:", "https:", "src="] {
        assert!(!html.contains(fetched), "nothing is fetched or run: {fetched}");
    }
    let key = public_key(stage.site.root());
    let (code, said) = verdict(&json, Some(&key));
    assert_eq!(code, 0, "{said}");
    assert!(said.contains("Signed by the key given"), "{said}");
    println!("{said}{} bytes of JSON, {} of HTML", text.len(), html.len());

    // One byte at a time, all over the file.
    let changed = stage.site.path("changed.json");
    let bytes = text.as_bytes();
    let step = (bytes.len() / 40).max(1);
    for place in (0..bytes.len()).step_by(step).chain([0, bytes.len() - 1, bytes.len() - 2]) {
        let mut other = bytes.to_vec();
        other[place] = if other[place] == b'7' { b'8' } else { b'7' };
        std::fs::write(&changed, &other).unwrap();
        let (code, said) = verdict(&changed, Some(&key));
        assert_eq!(code, 1, "byte {place} of {}: {said}", bytes.len());
    }
    // Signed by another key, it is nobody's evidence here.
    let other = stage.site.path("other.pub");
    std::fs::write(
        &other,
        "-----BEGIN PUBLIC KEY-----\nMCowBQYDK2VwAyEA11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=\n\
         -----END PUBLIC KEY-----\n",
    )
    .unwrap();
    let (code, said) = verdict(&json, Some(&other));
    assert!(code == 1 && said.contains("not signed by the key given"), "{said}");

    // Never over a file that is there.
    let again = stage.site.run(&["evidence", &user_id, "--out", &out.display().to_string()]);
    assert!(!again.unwrap().status.success());
    late(&stage, &user_id);
}

/// HR told of it the day after: that is late, and why is said.
fn late(stage: &Stage, user_id: &str) {
    let late = stage.site.json(&["late"]).unwrap();
    let line = &late["late"][0];
    assert_eq!(line["person"], user_id, "{late}");
    assert!(line["why"][0].as_str().unwrap().starts_with("feed late"), "{late}");
    assert!(line["clause"].as_str().unwrap().starts_with("D2"), "{late}");
    assert_eq!(
        (&late["times"][0]["connector"], &late["times"][0]["count"]),
        (&"all".into(), &1.into())
    );
    assert!(late["times"][0]["p99_ms"].as_u64().unwrap() < 60_000, "{late}");
    let text = stage.site.printed(&["late"]).unwrap();
    assert!(text.contains("feed late") && text.contains("P95"), "{text}");
    println!("{text}");
}
