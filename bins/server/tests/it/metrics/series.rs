//! Prometheus' text format, read strictly: whatever breaks a rule of it fails the test.

use std::collections::{BTreeMap, BTreeSet};

/// Every series that was told.
pub(crate) struct Series {
    pub(crate) text: String,
    /// By name, and by labels as `name=value`, sorted.
    values: BTreeMap<(String, String), f64>,
}

impl Series {
    /// Reads all of a text.
    pub(crate) fn read(text: &str) -> Self {
        let mut series = Self { text: text.to_owned(), values: BTreeMap::new() };
        let (mut families, mut current) = (BTreeSet::new(), (String::new(), String::new()));
        let mut lines = text.strip_suffix('\n').expect("a line break at the end").split('\n');
        while let Some(line) = lines.next() {
            let Some(help) = line.strip_prefix("# HELP ") else {
                series.sample(line, &current);
                continue;
            };
            let (name, words) = help.split_once(' ').unwrap();
            let kind = lines.next().unwrap().strip_prefix(&format!("# TYPE {name} ")).unwrap_or_else(|| panic!("{name} has no type"));
            assert!(families.insert(name.to_owned()), "{name} is there twice");
            assert!(name.starts_with("selfmx_") && words.ends_with('.'), "{line}");
            assert_eq!(kind == "counter", name.ends_with("_total"), "{name} is a {kind}");
            current = (name.to_owned(), kind.to_owned());
        }
        series.check_histograms();
        series
    }

    /// The value of a series.
    pub(crate) fn value(&self, name: &str, labels: &[(&str, &str)]) -> Option<f64> {
        self.values.get(&(name.to_owned(), joined(labels.iter().copied()))).copied()
    }

    /// All series of one name, with their labels.
    pub(crate) fn of(&self, name: &str) -> impl Iterator<Item = (&str, f64)> {
        self.values.iter().filter(move |((of, _), _)| of == name).map(|((_, labels), value)| (labels.as_str(), *value))
    }

    fn sample(&mut self, line: &str, (family, kind): &(String, String)) {
        let (series, value) = line.rsplit_once(' ').unwrap_or_else(|| panic!("no sample: {line}"));
        let (name, labels) = series.split_once('{').map_or((series, ""), |(name, labels)| (name, labels.strip_suffix('}').unwrap()));
        let suffix = name.strip_prefix(family.as_str()).unwrap_or_else(|| panic!("{name} is none of {family}"));
        let suffixes: &[&str] = if kind == "histogram" { &["_bucket", "_sum", "_count"] } else { &[""] };
        assert!(suffixes.contains(&suffix), "{line}");
        let pairs = labels.split("\",").filter(|pair| !pair.is_empty()).map(|pair| pair.trim_end_matches('"').split_once("=\"").unwrap());
        let value: f64 = value.parse().unwrap();
        assert!(value >= 0.0, "{line}");
        let known = self.values.insert((name.to_owned(), joined(pairs)), value);
        assert!(known.is_none(), "{series} is there twice");
    }

    /// Each class holds the one before; the last holds all.
    fn check_histograms(&self) {
        for ((name, labels), count) in self.values.iter().filter(|((name, _), _)| name.ends_with("_seconds_count")) {
            let family = name.strip_suffix("_count").unwrap();
            let is_same = |of: &str| of.split(',').filter(|label| !label.starts_with("le=")).collect::<Vec<_>>().join(",") == *labels;
            let bound = |of: &str| {
                of.split(',').find_map(|label| label.strip_prefix("le=")).unwrap().replace("+Inf", "inf").parse::<f64>().unwrap()
            };
            let mut classes: Vec<(f64, f64)> =
                self.of(&format!("{family}_bucket")).filter(|(of, _)| is_same(of)).map(|(of, value)| (bound(of), value)).collect();
            classes.sort_by(|one, other| one.0.total_cmp(&other.0));
            assert!(classes.windows(2).all(|two| two[0].1 <= two[1].1), "{name}{labels}");
            assert_eq!(classes.last(), Some(&(f64::INFINITY, *count)), "{name}{labels}");
            assert!(self.values.contains_key(&(format!("{family}_sum"), labels.clone())), "{name}{labels}");
        }
    }
}

fn joined<'a>(labels: impl Iterator<Item = (&'a str, &'a str)>) -> String {
    let mut labels: Vec<String> = labels.map(|(name, value)| format!("{name}={value}")).collect();
    labels.sort();
    labels.join(",")
}
