//! What Prometheus would read of a story.

use std::collections::BTreeMap;

use callspool_store::Role;

use super::World;

/// What `/metrics` said: the value of each series as it is written there.
pub(crate) struct Numbers(BTreeMap<String, f64>);

impl World {
    /// Reads `/metrics` of the running machine.
    pub(crate) async fn numbers(&self) -> Numbers {
        let token = self.token(Role::Listener).await;
        let answer = self.http.get(self.url("/metrics")).bearer_auth(token).send().await.expect("an answer");
        assert_eq!(answer.status(), http::StatusCode::OK);
        let text = answer.text().await.expect("text");
        let samples = text.lines().filter(|line| !line.is_empty() && !line.starts_with('#')).map(|line| {
            let (series, value) = line.rsplit_once(' ').expect("a sample");
            (series.to_owned(), value.parse().expect("a number"))
        });
        Numbers(samples.collect())
    }
}

impl Numbers {
    /// The sum over the series of this name that have all of these labels; `None` where there are none.
    pub(crate) fn get(&self, name: &str, labels: &[(&str, &str)]) -> Option<f64> {
        let mut found = None;
        for (series, value) in &self.0 {
            let (of, rest) = series.split_once('{').unwrap_or((series, ""));
            let has = |(label, text): &(&str, &str)| {
                let pair = format!("{label}=\"{text}\"");
                rest.trim_end_matches('}').split(',').any(|known| known == pair)
            };
            if of == name && labels.iter().all(has) {
                *found.get_or_insert(0.0) += value;
            }
        }
        found
    }

    /// The names there are; those of a histogram without the ending of their series.
    pub(crate) fn names(&self) -> Vec<String> {
        let mut names: Vec<String> = self
            .0
            .keys()
            .map(|series| {
                let name = series.split('{').next().unwrap_or_default();
                let histogram = |ending: &str| {
                    let base = name.strip_suffix(ending)?;
                    self.0.keys().any(|other| other.starts_with(&format!("{base}_bucket{{"))).then(|| base.to_owned())
                };
                ["_bucket", "_sum", "_count"].iter().find_map(|ending| histogram(ending)).unwrap_or(name.to_owned())
            })
            .collect();
        names.dedup();
        names
    }
}
