//! What must hold between settings, and what is allowed but perhaps not meant.

use super::File;
use super::problem::Problem;
use super::tree::{Node, Part};

/// Judges the file as a whole.
pub fn judge(file: &File, tree: &Node, problems: &mut Vec<Problem>, warnings: &mut Vec<Problem>) {
    let mut judge = Judge { file, tree, problems, warnings };
    judge.secrets();
}

struct Judge<'a> {
    file: &'a File,
    tree: &'a Node,
    problems: &'a mut Vec<Problem>,
    warnings: &'a mut Vec<Problem>,
}

impl Judge<'_> {
    fn wrong(&mut self, path: &[&str], message: impl Into<String>, advice: impl Into<String>) {
        let problem = self.at(path, message).advise(advice);
        self.problems.push(problem);
    }

    fn at(&self, path: &[&str], message: impl Into<String>) -> Problem {
        let parts: Vec<Part> = path.iter().map(|key| Part::Key((*key).to_owned())).collect();
        Problem::new(self.tree.place_of(&parts), path.join("."), message)
    }

    fn secrets(&mut self) {
        let _ = &self.warnings;
        if self.file.state.password_file.is_some() && self.file.state.password_credential.is_some()
        {
            self.wrong(
                &["state", "password_credential"],
                "the password is said to be in two places",
                "keep `password_file` or `password_credential`",
            );
        }
    }
}
