//! A check that the elements of a page are properly nested and closed.

/// Void elements, which have no end tag.
const VOID: [&str; 13] =
    ["area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "source", "track", "wbr"];

/// Elements whose content is raw text.
const RAW: [&str; 2] = ["script", "style"];

/// The first error in the nesting of a page's elements.
pub(crate) fn fault(page: &str) -> Option<String> {
    check(page).err()
}

fn check(page: &str) -> Result<(), String> {
    let mut open: Vec<String> = Vec::new();
    let mut rest = page;
    while let Some((_, behind)) = rest.split_once('<') {
        if let Some(comment) = behind.strip_prefix("!--") {
            rest = comment.split_once("-->").ok_or("a comment does not end")?.1;
            continue;
        }
        let tag;
        (tag, rest) = split_tag(behind)?;
        let name = tag.trim_start_matches('/').split(|c: char| c.is_whitespace() || c == '/').next();
        let name = name.unwrap_or_default().to_lowercase();
        if tag.starts_with('!') {
            continue;
        }
        if !name.starts_with(|first: char| first.is_ascii_alphabetic()) {
            return Err(format!("<{tag}> is no tag"));
        }
        if tag.starts_with('/') {
            match open.pop() {
                Some(expected) if expected == name => continue,
                expected => return Err(format!("<{tag}> where {expected:?} is open")),
            }
        }
        // Self-closing tags are valid in SVG only; in HTML the slash is ignored.
        let in_picture = name == "svg" || open.iter().any(|name| name == "svg");
        if VOID.contains(&&*name) || (in_picture && tag.ends_with('/')) {
            continue;
        }
        if RAW.contains(&&*name) {
            let end = rest.find(&format!("</{name}>")).ok_or_else(|| format!("<{name}> is never closed"))?;
            rest = &rest[end..];
        }
        open.push(name);
    }
    open.last().map_or(Ok(()), |name| Err(format!("<{name}> is never closed")))
}

/// Splits off the tag at the beginning. A `>` in quotes doesn't end it.
fn split_tag(text: &str) -> Result<(&str, &str), String> {
    let mut quote = None;
    for (at, character) in text.char_indices() {
        match (quote, character) {
            (None, '>') => return Ok((&text[..at], &text[at + 1..])),
            (None, '<') => return Err(format!("<{} does not end", &text[..at])),
            (None, '"' | '\'') => quote = Some(character),
            (Some(begun), end) if begun == end => quote = None,
            _ => {}
        }
    }
    Err(format!("<{} does not end", text.lines().next().unwrap_or_default()))
}

#[test]
fn nesting_errors_are_found() {
    for whole in [
        "",
        "text alone",
        "<!DOCTYPE html><p a=\"b\">x<br/><i>y</i></p>",
        "<P Class='a'>x<br><hr\n><img alt=\"a > b\"></p>",
        "<!-- <p> -- > --><p><!----></p>",
        "<script>if (1 < 2) { \"<p>\" }</script><style>a > b {}</style>",
        "<svg><path d=\"M0 0\"/><g><rect/></g></svg>",
    ] {
        assert_eq!(fault(whole), None, "{whole}");
    }
    for faulty in [
        // An element that isn't closed, or is closed in the wrong place.
        "<p>",
        "<p><i></p></i>",
        "<p><i></p>",
        "<i>a</i></i>",
        "<div/>",
        "<svg><rect></svg>",
        "<svg/><rect/>",
        "<br></br>",
        "<p><script>x</p>",
        "<style>x",
        "<script>x</style>",
        // A tag that isn't closed.
        "<p",
        "<p>x</p",
        "<p>x<",
        "<p>x</p><p a=\"b\"",
        "<p>x</p><!-- y",
        "<p a=\"></p>",
        "<p a='></p>",
        "<p <i>x</i></p>",
        // Not a tag.
        "<p>1 < 2</p>",
        "<>x</>",
    ] {
        assert!(fault(faulty).is_some(), "{faulty}");
    }
}
