//! Text that means only itself in the page. All of it passes through here.

use std::fmt::Write;

/// Text for the content of an element or a quoted attribute, in HTML and SVG.
pub(super) fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            '\t' | '\n' => escaped.push(character),
            // Not allowed in a page in any form.
            control if control.is_control() => escaped.push('\u{fffd}'),
            other => escaped.push(other),
        }
    }
    escaped
}

/// JSON for the content of a `<script>`, which no escape but JSON's own can reach: no `<` remains, so that
/// nothing in it ends or opens anything.
pub(super) fn escape_json(json: &str) -> String {
    let mut escaped = String::with_capacity(json.len());
    for character in json.chars() {
        match character {
            // These occur in JSON within strings only.
            '<' | '>' | '&' | '\u{2028}' | '\u{2029}' => {
                let _ = write!(escaped, "\\u{:04x}", u32::from(character));
            }
            other => escaped.push(other),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_gets_out_of_an_element_or_an_attribute() {
        assert_eq!(escape("<a href=\"x\">'&\u{1b}é\n"), "&lt;a href=&quot;x&quot;&gt;&#39;&amp;\u{fffd}é\n");
    }

    #[test]
    fn nothing_gets_out_of_a_script() {
        let json = serde_json::to_string("</script><!--&\u{2028}").unwrap();
        let escaped = escape_json(&json);
        assert!(!escaped.contains(['<', '>', '&', '\u{2028}']));
        assert_eq!(serde_json::from_str::<String>(&escaped).unwrap(), "</script><!--&\u{2028}");
    }
}
