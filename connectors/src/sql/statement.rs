//! Statements of the YAML: one each, with named parameters that are bound and never written into it.
//!
//! The reading is stricter than SQL: what servers read differently (comments, backslashes in texts,
//! dollar quotes, marks of their own for parameters) is refused rather than guessed at.

use std::fmt::Write as _;

/// What a statement may ask to have bound.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Parameter {
    /// `:id`
    Id,
    /// `:user_id`
    UserId,
    /// `:account`
    Account,
    /// `:employee_number`
    EmployeeNumber,
    /// `:old_user_id`, before a rename
    OldUserId,
    /// `:old_account`
    OldAccount,
    /// `:first`
    First,
    /// `:last`
    Last,
    /// `:display_name`
    DisplayName,
    /// `:mail`
    Mail,
    /// `:location`
    Location,
    /// `:role`, one at a time
    Role,
    /// `:roles`, all of them with commas between
    Roles,
}

/// What every statement may name.
const KEYS: [(&str, Parameter); 4] = [
    ("id", Parameter::Id),
    ("user_id", Parameter::UserId),
    ("account", Parameter::Account),
    ("employee_number", Parameter::EmployeeNumber),
];

/// What statements that give may name beside.
const GIVEN: [(&str, Parameter); 9] = [
    ("old_user_id", Parameter::OldUserId),
    ("old_account", Parameter::OldAccount),
    ("first", Parameter::First),
    ("last", Parameter::Last),
    ("display_name", Parameter::DisplayName),
    ("mail", Parameter::Mail),
    ("location", Parameter::Location),
    ("role", Parameter::Role),
    ("roles", Parameter::Roles),
];

impl Parameter {
    fn named(name: &str, purpose: Purpose) -> Result<Self, String> {
        let given: &[_] = if purpose == Purpose::Gives { &GIVEN } else { &[] };
        let mut all = KEYS.iter().chain(given);
        all.find(|(known, _)| *known == name).map(|(_, parameter)| *parameter).ok_or_else(|| {
            let known: Vec<String> =
                KEYS.iter().chain(given).map(|(name, _)| format!(":{name}")).collect();
            format!("names a parameter :{name}; there are {}", known.join(", "))
        })
    }
}

/// How a server marks the places of parameters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Marks {
    /// `$1`, the same number for the same parameter.
    Dollar,
    /// `?`, one a place.
    Question,
    /// `?1`, the same number for the same parameter.
    Numbered,
}

/// What a statement is for, which decides how it may begin.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Purpose {
    /// It reads.
    Reads,
    /// It changes.
    Changes,
    /// It changes, and knows more of the person.
    Gives,
}

/// One statement, ready to be prepared.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Statement {
    /// With the server's own marks.
    pub(super) text: String,
    /// What goes to each mark, in order.
    pub(super) bound: Vec<Parameter>,
}

impl Statement {
    /// Reads a statement; the error completes a sentence that begins with its key.
    pub(super) fn read(text: &str, purpose: Purpose, marks: Marks) -> Result<Self, String> {
        begins_as(text, purpose)?;
        let mut made = Self { text: String::with_capacity(text.len()), bound: Vec::new() };
        let mut characters = text.trim().chars().peekable();
        while let Some(character) = characters.next() {
            match character {
                '\'' | '"' | '`' => quoted(character, &mut characters, &mut made.text)?,
                ';' if characters.clone().all(char::is_whitespace) => break,
                ';' => return Err("has several statements in it; write one".into()),
                '?' | '$' | '@' | '#' | '\\' => {
                    return Err(format!(
                        "has {character:?} in it, which servers read differently; write parameters as :user_id, and comments in the YAML"
                    ));
                }
                '-' | '/'
                    if characters.peek() == Some(&if character == '-' { '-' } else { '*' }) =>
                {
                    return Err("has a comment in it; write comments in the YAML".into());
                }
                ':' if characters.peek() == Some(&':') => {
                    characters.next();
                    made.text.push_str("::");
                }
                ':' => {
                    let mut name = String::new();
                    while let Some(next) = characters.next_if(|c| c.is_alphanumeric() || *c == '_')
                    {
                        name.push(next);
                    }
                    made.bind(&name, purpose, marks)?;
                }
                other => made.text.push(other),
            }
        }
        Ok(made)
    }

    fn bind(&mut self, name: &str, purpose: Purpose, marks: Marks) -> Result<(), String> {
        let parameter = Parameter::named(name, purpose)?;
        let known = self.bound.iter().position(|bound| *bound == parameter);
        let number = match (known, marks) {
            (Some(at), Marks::Dollar | Marks::Numbered) => at + 1,
            _ => {
                self.bound.push(parameter);
                self.bound.len()
            }
        };
        // Writing to a text can't fail.
        let _ = match marks {
            Marks::Dollar => write!(self.text, "${number}"),
            Marks::Numbered => write!(self.text, "?{number}"),
            Marks::Question => write!(self.text, "?"),
        };
        Ok(())
    }

    /// Whether a parameter is in it.
    pub(super) fn binds(&self, parameter: Parameter) -> bool {
        self.bound.contains(&parameter)
    }
}

fn begins_as(text: &str, purpose: Purpose) -> Result<(), String> {
    let word = |c: char| !c.is_ascii_alphabetic();
    let first = text.trim().split(word).next().unwrap_or_default().to_ascii_uppercase();
    let allowed: &[&str] = match purpose {
        Purpose::Reads => &["SELECT", "WITH"],
        Purpose::Changes | Purpose::Gives => &["UPDATE", "DELETE", "INSERT", "WITH"],
    };
    if allowed.contains(&first.as_str()) {
        return Ok(());
    }
    Err(format!("does not begin with {}", allowed.join(", ")))
}

/// A quoted text or name: a doubled quote within is seen as the end of one and the start of the next.
fn quoted(
    quote: char,
    characters: &mut impl Iterator<Item = char>,
    out: &mut String,
) -> Result<(), String> {
    out.push(quote);
    for character in characters {
        if character == '\\' {
            return Err("has a backslash in a text, which servers read differently".into());
        }
        out.push(character);
        if character == quote {
            return Ok(());
        }
    }
    Err(format!("has a {quote} that is not closed"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    fn read(text: &str, marks: Marks) -> Result<Statement, String> {
        Statement::read(text, Purpose::Reads, marks)
    }

    #[rstest]
    #[case(Marks::Dollar, "SELECT 1 WHERE a = $1 OR b = $2 OR c = $1", 2)]
    #[case(Marks::Numbered, "SELECT 1 WHERE a = ?1 OR b = ?2 OR c = ?1", 2)]
    #[case(Marks::Question, "SELECT 1 WHERE a = ? OR b = ? OR c = ?", 3)]
    fn parameters_become_the_servers_own_marks(
        #[case] marks: Marks,
        #[case] text: &str,
        #[case] bound: usize,
    ) {
        let made =
            read("SELECT 1 WHERE a = :user_id OR b = :id OR c = :user_id ;\n", marks).unwrap();
        assert_eq!(made.text.trim_end(), text);
        assert_eq!(made.bound.len(), bound);
        assert_eq!(made.bound[..2], [Parameter::UserId, Parameter::Id]);
    }

    #[rstest]
    #[case("SELECT ':id', \":id\", 'it''s :id' FROM t")]
    #[case("SELECT id::text FROM t")]
    #[case("WITH x AS (SELECT 1) SELECT 'a;b' FROM x")]
    fn what_is_quoted_or_cast_is_left_as_it_is(#[case] text: &str) {
        let made = read(text, Marks::Dollar).unwrap();
        assert_eq!((made.text.as_str(), made.bound.len()), (text, 0));
    }

    #[rstest]
    #[case("SELECT 1; DELETE FROM users", "several statements")]
    #[case("SELECT :password", ":password")]
    #[case("SELECT a FROM t WHERE b = :", "parameter :;")]
    #[case("SELECT ?", "'?'")]
    #[case("SELECT $$x$$", "'$'")]
    #[case("SELECT 1 -- :id", "comment")]
    #[case("SELECT 1 /* :id */", "comment")]
    #[case("SELECT 1 # :id", "'#'")]
    #[case(r"SELECT 'a\' :id '", "backslash")]
    #[case("SELECT 'a", "not closed")]
    #[case("DELETE FROM users", "SELECT")]
    #[case("", "SELECT")]
    fn what_servers_could_read_otherwise_is_refused(#[case] text: &str, #[case] says: &str) {
        let problem = read(text, Marks::Question).unwrap_err();
        assert!(problem.contains(says), "{problem}");
    }

    #[rstest]
    #[case("DROP TABLE users")]
    #[case("SELECT revoke_everything()")]
    #[case("CALL revoke(:id)")]
    fn only_what_changes_rows_can_be_a_change(#[case] text: &str) {
        assert!(Statement::read(text, Purpose::Changes, Marks::Dollar).is_err());
    }
}
