//! The configuration of `serve`: the file of `--config`, and the settings that `--show-config` prints.

mod file;
mod show;
mod value;

pub(crate) use file::File;
pub(crate) use show::{checked, text};
