//! Reports of a comparison: text for the terminal, an HTML page, Markdown, JSON. Each is a pure function of the data,
//! and all lay out the same contents.

mod contents;
mod details;
mod diff;
mod html;
mod json;
mod markdown;
mod matrix;
mod plots;
mod pushes;
mod ranking;
mod sentences;
#[cfg(test)]
mod tests;
mod text;
mod validity;
mod wording;

pub use diff::changes_to_text;
pub use html::to_html;
pub use json::{Unreadable, from_json, to_json};
pub use markdown::to_markdown;
pub use sentences::conclusions;
pub use text::{Style, to_text};
pub(crate) use wording::{load, rate};
