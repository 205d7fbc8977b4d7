//! `requests`.

use super::{Page, Text, at, when_given};
use crate::views::RequestsView;

impl Text for RequestsView {
    fn write(&self, page: &mut Page) {
        if self.requests.is_empty() {
            page.line("No request is open.");
            return;
        }
        for form in &self.requests {
            let id: String = form.id.chars().take(8).collect();
            page.line(&format!(
                "{id}  {}: {} for {}{}",
                form.state.to_uppercase(),
                form.request,
                form.person,
                form.asked_at
                    .as_deref()
                    .map(|asked| format!(", asked {}", at(asked)))
                    .unwrap_or_default()
            ));
            page.indented(4, &form.note);
            if form.next.is_some() {
                page.indented(4, &format!("next reminder or alarm: {}", when_given(&form.next)));
            }
            if let (Some(document), Some(filed)) = (&form.document, &form.filed) {
                page.indented(4, &format!("document {document}, filed {filed}"));
            }
        }
        page.gap();
        page.line("File an answer with `lapsed confirm TOKEN --file PATH`.");
    }
}
