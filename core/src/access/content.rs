//! What a form says, whatever it looks like: the hash that approvals are bound to (A2).

use super::form::AccessForm;
use crate::intake::digest;
use crate::mask::mask;

impl AccessForm {
    /// SHA-256 of what the form says, in hexadecimal, whatever the spaces and the order of fields.
    ///
    /// # Errors
    /// None that a form can cause; it is handed on because writing JSON may fail.
    pub fn hash(&self) -> Result<String, serde_json::Error> {
        // Fields are written in the order of the type, and those that say nothing are left out.
        Ok(digest(&serde_json::to_vec(self)?))
    }

    /// The form with protected numbers in its free texts masked: they are stored nowhere (P1).
    #[must_use]
    pub fn masked(mut self) -> Self {
        for text in [&mut self.position, &mut self.reason, &mut self.least_phi] {
            *text = text.as_deref().map(mask);
        }
        for signature in &mut self.signatures {
            signature.name = mask(&signature.name);
        }
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::access::form::tests::form;
    use serde_json::json;

    #[test]
    fn the_hash_is_that_of_what_is_said_and_not_of_how_it_is_written() {
        let one: AccessForm =
            form(json!({"asks": "new", "systems": [{"system": "cimor", "remove": false}]}));
        let other: AccessForm =
            form(json!({"systems": [{"system": "cimor"}], "asks": "new", "for_cause": false}));
        assert_eq!(one.hash().unwrap(), other.hash().unwrap());
        let more =
            form(json!({"asks": "new", "systems": [{"system": "cimor"}, {"system": "mail"}]}));
        assert_ne!(one.hash().unwrap(), more.hash().unwrap());
        let newer = AccessForm { revision: 1, ..one.clone() };
        assert_ne!(one.hash().unwrap(), newer.hash().unwrap());
    }

    #[test]
    fn protected_numbers_are_masked_before_anything_is_stored() {
        let text = "SSN 123-45-6789";
        let form =
            form(json!({"asks": "new", "reason": text, "position": text, "least_phi": text}));
        let stored = serde_json::to_string(&form.masked()).unwrap();
        assert!(!stored.contains("6789"), "{stored}");
    }
}
