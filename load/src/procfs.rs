//! Files of Linux's `/proc` and `/sys`. Elsewhere there is nothing to read: what is asked for is `None`.

use std::fs;

/// A file of `/proc` or `/sys` that holds one value, without the line end. A file that can't be read, or is
/// empty, says nothing.
pub fn value_of(path: &str) -> Option<String> {
    let text = fs::read_to_string(path).ok()?;
    Some(text.trim().to_owned()).filter(|value| !value.is_empty())
}

/// What stands behind `name:` in a text of such lines.
pub fn field<'a>(text: &'a str, name: &str) -> Option<&'a str> {
    text.lines().find_map(|line| {
        let (before, value) = line.split_once(':')?;
        (before.trim() == name).then_some(value.trim())
    })
}

/// A number of kibibytes as `/proc` writes it, `1234 kB`, in bytes.
pub fn kibibytes(value: &str) -> Option<u64> {
    value.strip_suffix("kB")?.trim().parse::<u64>().ok()?.checked_mul(1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_field_is_found_by_its_whole_name() {
        let text = "VmHWM:\t  12 kB\nModel name\t: Some CPU: fast\nmodel\t\t: 17\n";
        assert_eq!(field(text, "VmHWM"), Some("12 kB"));
        assert_eq!(field(text, "Model name"), Some("Some CPU: fast"));
        assert_eq!(field(text, "Model"), None);
        assert_eq!(field("", "model"), None);
    }

    #[test]
    fn kibibytes_are_bytes_and_nonsense_is_nothing() {
        assert_eq!(kibibytes("12 kB"), Some(12_288));
        for nonsense in ["", "12", "kB", "-1 kB", "12 MB", "18446744073709551615 kB"] {
            assert_eq!(kibibytes(nonsense), None, "{nonsense}");
        }
    }
}
