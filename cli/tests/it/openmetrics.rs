//! A strict parser of OpenMetrics' text format, and what it found.

use std::collections::{BTreeMap, HashMap, HashSet};

/// What a scrape has returned.
#[derive(Debug, Default)]
pub(crate) struct Scrape {
    /// The families in their order, by name.
    pub(crate) families: Vec<Family>,
    samples: HashMap<(String, Labels), f64>,
}

/// The labels of a sample, by name.
type Labels = BTreeMap<String, String>;

#[derive(Debug, Default)]
pub(crate) struct Family {
    pub(crate) name: String,
    pub(crate) kind: String,
    pub(crate) unit: String,
    pub(crate) help: String,
    /// The names of the labels of its samples, without the bounds of a histogram.
    pub(crate) labels: Vec<String>,
}

impl Scrape {
    /// Parses a whole exposition. Each family has a help, a type and (unless it is an info) a unit, in one piece and before its
    /// samples; no series is there twice; and histograms and counters have the values that they must have.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let body = text.strip_suffix("# EOF\n").ok_or("it doesn't end with # EOF")?;
        let mut scrape = Self::default();
        let mut names = HashSet::new();
        for line in body.split_terminator('\n') {
            let wrong = |what: &str| format!("{what}: `{line}`");
            if let Some(rest) = line.strip_prefix("# ") {
                let (word, rest) = rest.split_once(' ').ok_or_else(|| wrong("no name"))?;
                let (name, value) = rest.split_once(' ').ok_or_else(|| wrong("no value"))?;
                if word == "HELP" {
                    check_name(name).map_err(wrong)?;
                    (names.insert(name.to_owned()) && !value.is_empty())
                        .then_some(())
                        .ok_or_else(|| wrong("again"))?;
                    let (name, help) = (name.to_owned(), value.to_owned());
                    scrape.families.push(Family { name, help, ..Family::default() });
                    continue;
                }
                let family = scrape.families.last_mut().filter(|family| family.name == name);
                let family = family.ok_or_else(|| wrong("of another family"))?;
                let field = match word {
                    "TYPE" if ["counter", "gauge", "histogram", "info"].contains(&value) => &mut family.kind,
                    "UNIT" if name.ends_with(&format!("_{value}")) && family.kind != "info" => {
                        &mut family.unit
                    }
                    _ => return Err(wrong("unknown")),
                };
                let is_first = std::mem::replace(field, value.to_owned()).is_empty();
                is_first.then_some(()).ok_or_else(|| wrong("again"))?;
            } else {
                let family = scrape.families.last_mut().ok_or_else(|| wrong("no family"))?;
                let (name, labels, value) = sample(line).ok_or_else(|| wrong("no sample"))?;
                family.check_sample(&name, &labels, value).map_err(|what| wrong(&what))?;
                let of_family = labels.keys().filter(|&label| label != "le").cloned().collect();
                family.labels = of_family;
                if scrape.samples.insert((name, labels), value).is_some() {
                    return Err(wrong("twice"));
                }
            }
        }
        scrape.families.iter().try_for_each(|family| scrape.check_family(family))?;
        Ok(scrape)
    }

    /// The sample with this name and these labels.
    pub(crate) fn value(&self, name: &str, labels: &[(&str, &str)]) -> f64 {
        let labels = labels.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        let found = self.samples.get(&(name.to_owned(), labels));
        *found.unwrap_or_else(|| panic!("there is no {name} in {self:?}"))
    }

    /// The sum of all samples with this name, and with this label if one is given.
    pub(crate) fn sum(&self, name: &str, label: Option<(&str, &str)>) -> f64 {
        let has = |labels: &Labels| {
            label.is_none_or(|(name, value)| labels.get(name).is_some_and(|it| it == value))
        };
        let asked = self.samples.iter().filter(|((it, labels), _)| it == name && has(labels));
        asked.map(|(_, value)| value).sum()
    }

    fn check_family(&self, family: &Family) -> Result<(), String> {
        let Family { name, kind, unit, .. } = family;
        if kind.is_empty() || (unit.is_empty() && kind != "info") {
            return Err(format!("{name} has no type or no unit"));
        }
        if kind != "histogram" {
            return Ok(());
        }
        let bucket = format!("{name}_bucket");
        let buckets = self.samples.iter().filter(|((it, _), _)| *it == bucket);
        let mut buckets: Vec<(f64, f64)> =
            buckets.map(|((_, labels), count)| (labels["le"].parse().unwrap_or(f64::NAN), *count)).collect();
        buckets.sort_by(|a, b| a.0.total_cmp(&b.0));
        let last = buckets.last().copied();
        let is_whole = last == Some((f64::INFINITY, self.value(&format!("{name}_count"), &[])));
        let grows = buckets.is_sorted_by(|a, b| a.0 < b.0 && a.1 <= b.1);
        let sum = self.value(&format!("{name}_sum"), &[]);
        if is_whole && grows && sum >= 0.0 { Ok(()) } else { Err(format!("{name}: {buckets:?}")) }
    }
}

impl Family {
    fn check_sample(&self, name: &str, labels: &Labels, value: f64) -> Result<(), String> {
        let suffix = name.strip_prefix(&self.name).ok_or("of another family")?;
        let is_count = value >= 0.0 && value.is_finite();
        let is_good = match self.kind.as_str() {
            "counter" => suffix == "_total" && is_count,
            "gauge" => suffix.is_empty() && !value.is_nan(),
            "info" => suffix == "_info" && value == 1.0,
            "histogram" => match suffix {
                "_bucket" => is_count && labels.contains_key("le"),
                "_count" | "_sum" => is_count && !labels.contains_key("le"),
                _ => false,
            },
            _ => false,
        };
        is_good.then_some(()).ok_or_else(|| format!("wrong for a {}", self.kind))
    }
}

fn check_name(name: &str) -> Result<(), &'static str> {
    let is_part = |letter: char| letter.is_ascii_lowercase() || letter.is_ascii_digit() || letter == '_';
    let begins = name.starts_with(|letter: char| letter.is_ascii_lowercase());
    if begins && name.chars().all(is_part) { Ok(()) } else { Err("not a name") }
}

/// Parses a sample: its name, labels and value. There are no timestamps, no exemplars, and no characters to escape.
fn sample(line: &str) -> Option<(String, Labels, f64)> {
    let (series, value) = line.rsplit_once(' ')?;
    let value = value.parse().ok()?;
    let (name, labels) = series.split_once('{').map_or((series, ""), |(name, labels)| (name, labels));
    check_name(name).ok()?;
    let mut parsed = Labels::new();
    if !labels.is_empty() {
        for label in labels.strip_suffix('}')?.split(',') {
            let (name, value) = label.split_once('=')?;
            let value = value.strip_prefix('"')?.strip_suffix('"')?;
            check_name(name).ok().filter(|()| !value.contains(['"', '\\']))?;
            parsed.insert(name.to_owned(), value.to_owned()).is_none().then_some(())?;
        }
    }
    Some((name.to_owned(), parsed, value))
}

#[test]
fn what_is_not_openmetrics_is_found() {
    let family = "# HELP a_bytes b.\n# TYPE a_bytes counter\n# UNIT a_bytes bytes\n";
    assert!(Scrape::parse(&format!("{family}a_bytes_total{{x=\"y\"}} 1\n# EOF\n")).is_ok());
    for wrong in [
        format!("{family}a_bytes_total 1\n"),
        format!("{family}a_bytes 1\n# EOF\n"),
        format!("{family}a_bytes_total 1\n\n# EOF\n"),
        format!("{family}a_bytes_total 1\na_bytes_total 1\n# EOF\n"),
        format!("{family}a_bytes_total -1\n# EOF\n"),
        format!("{family}a_bytes_total x\n# EOF\n"),
        format!("{family}a_bytes_total{{x=y}} 1\n# EOF\n"),
        format!("{family}b_total 1\n# EOF\n"),
        format!("{family}{family}# EOF\n"),
        "# HELP a_bytes b.\n# TYPE a_bytes counter\n# EOF\n".to_owned(),
        "# HELP a b.\n# TYPE a counter\n# UNIT a bytes\n# EOF\n".to_owned(),
        "# HELP a b.\n# TYPE a summary\n# EOF\n".to_owned(),
        "a_total 1\n# EOF\n".to_owned(),
    ] {
        assert!(Scrape::parse(&wrong).is_err(), "{wrong}");
    }
}
