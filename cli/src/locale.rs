//! The user's language, from the locale.

use std::env;

use handlers::Language;

/// The language of this process's locale.
pub(crate) fn language() -> Language {
    language_of(["LC_ALL", "LC_MESSAGES", "LANG"].map(|name| env::var(name).unwrap_or_default()))
}

/// The language of the first of these locales that is set. If none is set, POSIX defines the locale as `C`, which means
/// English: so a server that an init system starts without a locale behaves as with `LANG=C`.
fn language_of(locales: [String; 3]) -> Language {
    let locale = locales.into_iter().find(|locale| !locale.is_empty()).unwrap_or_default();
    match locale.strip_prefix("zh") {
        Some(rest) if !rest.starts_with(|next: char| next.is_ascii_alphabetic()) => Language::Chinese,
        _ => Language::English,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_locale_that_is_set_counts() {
        for (locales, expected) in [
            (["", "", ""], Language::English),
            (["", "", "C.UTF-8"], Language::English),
            (["", "", "POSIX"], Language::English),
            (["", "", "zh_TW.UTF-8"], Language::Chinese),
            (["", "", "zh"], Language::Chinese),
            (["", "", "zh-Hant"], Language::Chinese),
            (["", "", "zha_CN"], Language::English), // Zhuang
            (["", "zh_CN", "en_GB.UTF-8"], Language::Chinese),
            (["", "de_CH.UTF-8", "zh_CN"], Language::English),
            (["C", "zh_CN", "zh_CN"], Language::English),
            (["zh_HK", "C", "C"], Language::Chinese),
        ] {
            assert_eq!(language_of(locales.map(String::from)), expected, "{locales:?}");
        }
    }
}
