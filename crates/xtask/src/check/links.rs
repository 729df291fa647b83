//! Links between pages and to files of the project lead somewhere.

use super::{Complaint, SourceFile, Tree};

pub fn check(tree: &Tree) -> Vec<Complaint> {
    tree.files
        .iter()
        .filter(|file| file.path.ends_with(".md"))
        .flat_map(|page| {
            links(page).into_iter().filter(|(_, target)| !leads_somewhere(tree, page, target)).map(
                |(line, target)| {
                    Complaint::new(format!("{}:{line}", page.path), format!("`{target}` is not there"))
                },
            )
        })
        .collect()
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

fn leads_somewhere(tree: &Tree, page: &SourceFile, target: &str) -> bool {
    let folder = page.path.rsplit_once('/').map_or("", |(folder, _)| folder);
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
        let page = "[a](b.md) [web](https://example.org/x) [here](#part)\n[up](../README.md#top) [gone](gone.md) [dir](sub)\n";
        let files = vec![
            file("docs/a.md", page),
            file("docs/b.md", ""),
            file("README.md", ""),
            file("docs/sub/x", ""),
        ];
        let complaints = check(&Tree { root: ".".into(), files });
        let places: Vec<_> = complaints.into_iter().map(|complaint| complaint.what).collect();
        assert_eq!(places, ["`gone.md` is not there"]);
    }
}
