//! The one template engine: what the YAML may compute with, and no more.

use minijinja::{Environment, UndefinedBehavior};

/// A minijinja engine in which an unknown name is an error, and that gives up after so many instructions
/// (`fuel`): a template in the YAML can be wrong, but it can't hang the daemon.
#[must_use]
pub fn strict(fuel: u64) -> Environment<'static> {
    let mut engine = Environment::new();
    engine.set_undefined_behavior(UndefinedBehavior::Strict);
    engine.set_fuel(Some(fuel));
    engine
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unknown_name_is_an_error() {
        assert!(strict(1_000).render_str("{{ nobody }}", ()).is_err());
    }

    #[test]
    fn a_template_without_end_is_given_up() {
        let long = "{% for a in range(9999) %}{% for b in range(9999) %}x{% endfor %}{% endfor %}";
        assert!(strict(1_000).render_str(long, ()).is_err());
    }
}
