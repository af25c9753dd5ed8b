//! The names of members and rooms.

use std::cmp::Ordering;
use std::fmt;

/// The name of a member or a room: a few letters and digits of any script, hyphens and underscores. Names that differ only in
/// their case are equal.
#[derive(Clone, Debug)]
pub(crate) struct Name {
    shown: Box<str>,
    key: Box<str>,
}

impl Name {
    /// The maximum length of a name, in characters.
    pub(crate) const MAX_LENGTH: usize = 20;

    /// The name of the guest with this number, in this process if there are others. Members can't choose such a name.
    pub(crate) fn guest(process: Option<&str>, number: u64) -> Self {
        match process {
            Some(process) => Self::new(&format!("{GUEST}{process}-{number}")),
            None => Self::new(&format!("{GUEST}{number}")),
        }
    }

    /// The room in which all members begin.
    pub(crate) fn lobby() -> Self {
        Self::new("lobby")
    }

    /// Checks a name that a client has chosen. The error says what is wrong with it.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let length = text.chars().count();
        if length == 0 || length > Self::MAX_LENGTH {
            return Err(format!(
                "a name has 1 to {} characters, and this one has {length}",
                Self::MAX_LENGTH
            ));
        }
        match text.chars().find(|&character| !is_allowed(character)) {
            Some(character) => {
                let character = character.escape_debug();
                Err(format!("a name has letters, digits, - and _, and this one has `{character}`"))
            }
            None => Ok(Self::new(text)),
        }
    }

    /// Whether the server gives such names to those who have not chosen one.
    pub(crate) fn is_guest(&self) -> bool {
        self.key.starts_with(GUEST)
    }

    /// The text that equal names have in common.
    pub(crate) fn key(&self) -> &str {
        &self.key
    }

    fn new(text: &str) -> Self {
        Self { shown: text.into(), key: text.to_lowercase().into() }
    }
}

/// The beginning of a guest's name.
const GUEST: &str = "guest-";

fn is_allowed(character: char) -> bool {
    character.is_alphanumeric() || matches!(character, '-' | '_')
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.shown)
    }
}

impl PartialEq for Name {
    fn eq(&self, other: &Self) -> bool {
        self.key == other.key
    }
}

impl Eq for Name {}

impl PartialOrd for Name {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Name {
    fn cmp(&self, other: &Self) -> Ordering {
        self.key.cmp(&other.key)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_length_is_counted_in_characters_and_its_limit_is_exact() {
        for character in ["a", "é", "名"] {
            for (length, passes) in
                [(0, false), (1, true), (19, true), (20, true), (21, false), (5000, false)]
            {
                let parsed = Name::parse(&character.repeat(length));
                let expected = format!("a name has 1 to 20 characters, and this one has {length}");
                assert_eq!(parsed.is_ok(), passes, "{character} {length}");
                assert!(passes || parsed == Err(expected), "{character} {length}");
            }
        }
    }

    #[test]
    fn only_letters_digits_hyphens_and_underscores_are_allowed() {
        for name in ["ann", "Ann_B-2", "小明", "Ωμέγα", "7"] {
            assert_eq!(Name::parse(name).unwrap().to_string(), name);
        }
        for (name, shown) in
            [("a b", " "), ("ann:", ":"), ("* ann", "*"), ("a\tb", "\\t"), ("a\u{202e}", "\\u{202e}")]
        {
            let expected = format!("a name has letters, digits, - and _, and this one has `{shown}`");
            assert_eq!(Name::parse(name), Err(expected), "{name:?}");
        }
    }

    #[test]
    fn names_that_differ_in_their_case_are_equal() {
        let name = |text| Name::parse(text).unwrap();
        assert_eq!(name("Ann"), name("aNN"));
        assert_eq!(name("Ωμέγα"), name("ωμέγα"));
        assert_ne!(name("ann"), name("anna"));
        assert!(name("Guest-1").is_guest() && Name::guest(None, 1).is_guest() && !name("guest1").is_guest());
    }
}
