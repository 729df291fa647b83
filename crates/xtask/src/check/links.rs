//! Links between pages, and paths that a page mentions as `crates/…`, lead somewhere.

use super::{Complaint, SourceFile, Tree};

/// A mention in code marks that begins with one of these is a path from the project's root.
const FOLDERS: &[&str] = &["crates/", "docs/", "conformance/", ".ci/"];

pub fn check(tree: &Tree) -> Vec<Complaint> {
    tree.files
        .iter()
        .filter(|file| file.path.ends_with(".md"))
        .flat_map(|page| check_page(tree, page))
        .collect()
}

fn check_page(tree: &Tree, page: &SourceFile) -> Vec<Complaint> {
    let folder = page.path.rsplit_once('/').map_or("", |(folder, _)| folder);
    let links = links(page).into_iter().filter(|(_, target)| !leads_somewhere(tree, folder, target));
    let mentions = mentions(page).into_iter().filter(|(_, path)| !leads_somewhere(tree, "", path));
    links
        .chain(mentions)
        .map(|(line, target)| {
            Complaint::new(format!("{}:{line}", page.path), format!("`{target}` is not there"))
        })
        .collect()
}

/// Paths from the root in code marks, each with its line. Names in capitals stand for something else.
fn mentions(page: &SourceFile) -> Vec<(usize, &str)> {
    let mut found = Vec::new();
    for (index, line) in page.text.lines().enumerate() {
        for code in line.split('`').skip(1).step_by(2) {
            let is_path = FOLDERS.iter().any(|folder| code.starts_with(folder));
            let is_pattern = code.contains(['*', '<', ' ']) || code.contains("NAME");
            if is_path && !is_pattern {
                found.push((index + 1, code));
            }
        }
    }
    found
}

/// Targets within the project, each with its line; a `#section` is cut off.
fn links(page: &SourceFile) -> Vec<(usize, &str)> {
    let mut found = Vec::new();
    for (index, line) in page.text.lines().enumerate() {
        for after in line.split("](").skip(1) {
            let target = after.split(')').next().unwrap_or(after);
            let path = target.split('#').next().unwrap_or(target);
            if !path.is_empty() && !path.contains("://") {
                found.push((index + 1, path));
            }
        }
    }
    found
}

fn leads_somewhere(tree: &Tree, folder: &str, target: &str) -> bool {
    let mut parts: Vec<&str> = folder.split('/').filter(|part| !part.is_empty()).collect();
    for part in target.split('/') {
        match part {
            "" | "." => {}
            ".." => {
                parts.pop();
            }
            name => parts.push(name),
        }
    }
    let path = parts.join("/");
    tree.files.iter().any(|file| file.path == path || file.path.starts_with(&format!("{path}/")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(path: &str, text: &str) -> SourceFile {
        SourceFile { path: path.into(), text: text.into() }
    }

    #[test]
    fn only_links_that_lead_nowhere_are_found() {
        let page = "[a](b.md) [web](https://example.org/x) [here](#part)\n[up](../README.md#top) [gone](gone.md) [dir](sub)\n\
                    `docs/b.md` `docs/gone2.md` `b.md`\n";
        let files = vec![
            file("docs/a.md", page),
            file("docs/b.md", ""),
            file("README.md", ""),
            file("docs/sub/x", ""),
        ];
        let complaints = check(&Tree { root: ".".into(), files });
        let places: Vec<_> = complaints.into_iter().map(|complaint| complaint.what).collect();
        assert_eq!(places, ["`gone.md` is not there", "`docs/gone2.md` is not there"]);
    }
}
