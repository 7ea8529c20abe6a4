//! Configuration files with places to be filled in.

use std::collections::BTreeMap;

use super::fixtures;

/// The level of gzip, everywhere: the gateway's own.
const LEVEL: &str = "3";

/// What stands where in a configuration: `@NAME@`.
#[derive(Clone, Debug, Default)]
pub(crate) struct Values(BTreeMap<&'static str, String>);

impl Values {
    /// What is the same in all.
    pub(crate) fn common() -> Self {
        Self::default()
            .with("HEAD", fixtures::HEAD)
            .with("OPEN", fixtures::OPEN)
            .with("CLOSE", fixtures::CLOSE)
            .with("PREFERENCES", fixtures::PREFERENCES)
            .with("LEVEL", LEVEL)
    }

    /// With this value for a name.
    pub(crate) fn with(mut self, name: &'static str, value: impl ToString) -> Self {
        self.0.insert(name, value.to_string());
        self
    }

    /// The configuration with everything filled in.
    pub(crate) fn fill(&self, template: &str) -> String {
        let mut text = template.to_owned();
        for (name, value) in &self.0 {
            text = text.replace(&format!("@{name}@"), value);
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_filled_in_wherever_they_stand() {
        let values = Values::default().with("PORT", 80).with("UP", "x");
        assert_eq!(values.fill("a @PORT@ @UP@:@UP@ b@c"), "a 80 x:x b@c");
    }
}
