//! The sequence number in a drop's name.

/// A name with `*` for any text and `{sequence}` for the number.
pub(super) struct Pattern<'p> {
    before: &'p str,
    after: &'p str,
}

impl<'p> Pattern<'p> {
    /// `None` unless `{sequence}` stands in it once.
    pub(super) fn new(pattern: &'p str) -> Option<Self> {
        let (before, after) = pattern.split_once("{sequence}")?;
        (!after.contains("{sequence}")).then_some(Self { before, after })
    }

    /// The number, when the name is of this form: the first of its runs of digits that makes it so.
    pub(super) fn sequence(&self, name: &str) -> Option<u64> {
        let mut from = 0;
        while let Some(start) = name.get(from..)?.find(|c: char| c.is_ascii_digit()) {
            let start = from + start;
            let rest = name.get(start..)?;
            let end = start + rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
            if like(self.before, name.get(..start)?) && like(self.after, name.get(end..)?) {
                return name.get(start..end)?.parse().ok();
            }
            from = end;
        }
        None
    }
}

/// Whether the text has the pattern's form, `*` standing for any text.
fn like(pattern: &str, text: &str) -> bool {
    let mut parts = pattern.split('*');
    let first = parts.next().unwrap_or_default();
    let Some(mut rest) = text.strip_prefix(first) else { return false };
    let mut parts = parts.peekable();
    if parts.peek().is_none() {
        return rest.is_empty();
    }
    while let Some(part) = parts.next() {
        if parts.peek().is_none() {
            return rest.ends_with(part);
        }
        let Some(at) = rest.find(part) else { return false };
        rest = rest.get(at + part.len()..).unwrap_or_default();
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case("hr_{sequence}.csv", "hr_17.csv", Some(17))]
    #[case("hr_{sequence}.csv", "hr_0017.csv", Some(17))]
    #[case("hr_*_{sequence}.csv", "hr_20261122_18.csv", Some(18))]
    #[case("*{sequence}.csv", "dmh-20261122.csv", Some(20_261_122))]
    #[case("hr_{sequence}*", "hr_17_final (2).csv", Some(17))]
    #[case("hr_{sequence}.csv", "hr_17.csv.bak", None)]
    #[case("hr_{sequence}.csv", "hr_.csv", None)]
    #[case("hr_{sequence}.csv", "HR_17.csv", None)]
    #[case("hr_{sequence}.csv", "hr_99999999999999999999999.csv", None)]
    fn the_number_stands_where_the_pattern_has_it(
        #[case] pattern: &str,
        #[case] name: &str,
        #[case] number: Option<u64>,
    ) {
        assert_eq!(Pattern::new(pattern).unwrap().sequence(name), number);
    }

    #[test]
    fn a_pattern_has_the_number_once() {
        assert!(Pattern::new("hr.csv").is_none());
        assert!(Pattern::new("{sequence}_{sequence}").is_none());
    }
}
