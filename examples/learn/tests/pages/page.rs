//! Reads the pages of `docs/learn`.

pub(crate) const ENGLISH: &str = include_str!("../../../../docs/learn/learn.md");
#[allow(dead_code, reason = "one of the tests reads the English page alone")]
pub(crate) const CHINESE: &str = include_str!("../../../../docs/learn/learn.zh.md");

/// A step of a page: a heading `## N. …` and the text below it.
pub(crate) struct Step<'a> {
    pub(crate) number: u32,
    pub(crate) text: &'a str,
}

/// The steps of a page, in their order.
pub(crate) fn steps(page: &str) -> Vec<Step<'_>> {
    let sections = page.split("\n## ").skip(1);
    let number = |text: &str| text.split_once('.').and_then(|(number, _)| number.parse().ok());
    sections.filter_map(|text| number(text).map(|number| Step { number, text })).collect()
}

#[allow(dead_code, reason = "each of the tests uses some of them")]
impl<'a> Step<'a> {
    /// Its blocks of code with a language, each as the language and the text.
    fn blocks(&self) -> Vec<(&'a str, &'a str)> {
        let fences = self.text.split("\n```").skip(1).step_by(2);
        fences.filter_map(|block| block.split_once('\n')).collect()
    }

    /// The commands, of all its `sh` blocks.
    pub(crate) fn commands(&self) -> String {
        let blocks = self.blocks().into_iter().filter(|(language, _)| language.starts_with("sh"));
        blocks.map(|(_, text)| format!("{text}\n")).collect()
    }

    /// The blocks in other languages. One without a language is output, which may be translated.
    pub(crate) fn code(&self) -> Vec<(&'a str, &'a str)> {
        let is_code = |(language, _): &(&str, &str)| !language.is_empty() && !language.starts_with("sh");
        self.blocks().into_iter().filter(is_code).collect()
    }

    /// The names of the faults that its experiment shows.
    pub(crate) fn faults(&self) -> Vec<&'a str> {
        let line =
            self.text.lines().find(|line| line.starts_with("**Fault:**") || line.starts_with("**故障：**"));
        line.into_iter().flat_map(|line| line.split('`').skip(1).step_by(2)).collect()
    }

    /// The targets of its links, except for drawings, whose names differ in the languages.
    pub(crate) fn links(&self) -> Vec<&'a str> {
        let targets = self.text.split("](").skip(1).filter_map(|rest| rest.split(')').next());
        targets.filter(|target| !target.ends_with(".svg")).collect()
    }
}
