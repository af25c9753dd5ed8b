//! Whether a page's elements are closed in the order in which they were opened.

/// Elements without content, which HTML writes without an end.
const VOID: [&str; 4] = ["meta", "br", "hr", "link"];

/// The first thing that is wrong with the nesting of a page's elements.
pub(crate) fn fault(page: &str) -> Option<String> {
    let mut open: Vec<String> = Vec::new();
    let mut rest = page;
    while let Some(start) = rest.find('<') {
        rest = &rest[start + 1..];
        let end = rest.find('>')?;
        let tag = &rest[..end];
        rest = &rest[end + 1..];
        if tag.starts_with('!') {
            continue;
        }
        if tag.matches('"').count() % 2 == 1 {
            return Some(format!("an attribute of <{tag}> does not end"));
        }
        if let Some(name) = tag.strip_prefix('/') {
            match open.pop() {
                Some(expected) if expected == name => {}
                expected => return Some(format!("</{name}> where {expected:?} is open")),
            }
            continue;
        }
        let name = tag.split([' ', '/', '\n']).next().unwrap_or_default().to_owned();
        if tag.ends_with('/') || VOID.contains(&name.as_str()) {
            continue;
        }
        if name == "script" || name == "style" {
            // Their content is not markup.
            rest = &rest[rest.find(&format!("</{name}>"))?..];
        }
        open.push(name);
    }
    open.last().map(|name| format!("<{name}> is never closed"))
}

#[test]
fn faults_are_found() {
    assert_eq!(fault("<!DOCTYPE html><p a=\"b\">x<br/><i>y</i></p>"), None);
    assert!(fault("<p><i></p></i>").is_some());
    assert!(fault("<p>").is_some());
    assert!(fault("<p a=\"></p>").is_some());
}
