//! temporary
pub fn connection(_: &[u8]) {}
