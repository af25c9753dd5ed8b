//! What people see of a comparison: a table for the terminal, a page, Markdown, JSON. Each is a pure function
//! of the data.

mod by_hand;
mod conclusion;
mod escape;
mod html;
mod json;
mod markdown;
mod plots;
mod summary;
mod table;
mod wording;

pub use conclusion::conclude;
pub use html::to_html;
pub use json::{from_json, to_json};
pub use markdown::to_markdown;
pub use table::{Style, to_table};
