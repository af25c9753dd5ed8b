//! The sizes of messages: `32`, `fixed:64KiB`, `uniform:16-512`, `list:32,64,512`.

use load::plan::Sizes;

use super::Size;

/// Reads the sizes of messages: `32`, `fixed:64KiB`, `uniform:16-512`, `list:32,64,512`.
pub(crate) fn sizes(text: &str) -> Result<Sizes, String> {
    let size = |text: &str| text.trim().parse().ok().map(|Size(size)| size);
    let sizes = match text.split_once(':') {
        None => size(text).map(Sizes::Fixed),
        Some(("fixed", one)) => size(one).map(Sizes::Fixed),
        Some(("uniform", range)) => {
            range.split_once('-').and_then(|(least, most)| Some(Sizes::Uniform(size(least)?, size(most)?)))
        }
        Some(("list", list)) => list.split(',').map(size).collect::<Option<_>>().map(Sizes::List),
        Some(_) => None,
    };
    let sizes = sizes.ok_or_else(|| {
        format!(
            "`{text}` is no choice of sizes; write one such as 32, 64KiB, uniform:16-512 or list:32,64,512"
        )
    })?;
    sizes.check().map_err(|error| format!("`{text}`: {error}"))?;
    Ok(sizes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_read() {
        for (text, expected) in [
            ("32", Sizes::Fixed(32)),
            ("1KiB", Sizes::Fixed(1024)),
            ("fixed:32", Sizes::Fixed(32)),
            ("fixed:0.5MiB", Sizes::Fixed(524_288)),
            ("uniform:16-512", Sizes::Uniform(16, 512)),
            ("uniform:16-4KiB", Sizes::Uniform(16, 4096)),
            ("list:32, 64,512", Sizes::List(vec![32, 64, 512])),
            ("list:2,1048576", Sizes::List(vec![2, 1_048_576])),
            ("1MiB", Sizes::Fixed(1_048_576)),
        ] {
            assert_eq!(sizes(text), Ok(expected), "{text}");
        }
    }

    #[test]
    fn what_are_no_sizes_says_what_to_write() {
        for text in
            ["", "ten", "10k", "fixed:", "fixed:x", "uniform:16", "list:", "list:1,,2", "some:1", "-1"]
        {
            assert!(sizes(text).unwrap_err().contains(&format!("`{text}` is no choice")), "{text}");
        }
        for text in ["0", "1", "fixed:1", "fixed:1048577", "2MiB", "uniform:9-3", "list:2,1"] {
            assert!(sizes(text).unwrap_err().contains("choose sizes from 2 to 1048576"), "{text}");
        }
    }
}
