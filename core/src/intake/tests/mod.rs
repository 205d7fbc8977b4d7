mod formats;
mod properties;
mod receipts;
mod rejections;
mod rows;
mod specs;

use super::*;

/// A believable full feed with a trailer.
const FEED: &str = r#"
mode: full
columns:
  employee_number: { from: EMPLID, pad_to: 6 }
  name: { from: NAME }
  status:
    from: STATUS
    values: { Employed: active, "Leave of absence": on_leave, Former employee: departed, "": active }
  starts_on: { from: HIRED, formats: ["%m/%d/%Y", "%Y-%m-%d"] }
  ends_on: { from: LEFT, formats: ["%m/%d/%Y", "%Y-%m-%d"], none: ["12/31/9999"] }
  for_cause: { from: REASON, values: [Dismissal] }
  worksite: { from: SITE, table: { Central Office: z, Fulton State Hospital: b } }
  kind: { from: { constant: staff } }
contract:
  trailer: {}
"#;

const HEADER: &str = "EMPLID,NAME,SSN,STATUS,HIRED,LEFT,REASON,SITE\n";

fn spec(yaml: &str) -> FeedSpec {
    serde_yaml::from_str(yaml).unwrap()
}

/// The believable feed, changed by `change`.
fn feed(change: impl FnOnce(&mut FeedSpec)) -> FeedSpec {
    let mut spec = spec(FEED);
    change(&mut spec);
    spec
}

/// Header, these rows, and a right trailer.
fn drop_of(rows: &[&str]) -> String {
    let rows_text: String = rows.iter().map(|row| format!("{row}\n")).collect();
    format!("{HEADER}{rows_text}TRL,{}\n", rows.len())
}

fn taken(spec: &FeedSpec, text: impl AsRef<[u8]>) -> Taken {
    take(spec, text.as_ref(), None, "hr.csv", None).unwrap()
}

fn rejected(spec: &FeedSpec, bytes: impl AsRef<[u8]>) -> String {
    take(spec, bytes.as_ref(), None, "hr.csv", None).unwrap_err().to_string()
}
