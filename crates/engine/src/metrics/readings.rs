//! Readings of a step, which are named numbers in a fixed order: the loss, and its method's other readings.

use serde::de::{MapAccess, Visitor};
use serde::ser::SerializeMap;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::fmt;

/// The name under which every method's loss is logged.
pub const LOSS: &str = "loss";

/// Named numbers in order; in JSON an object.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Readings(Vec<(String, f64)>);

impl Readings {
    /// Readings of these names and values.
    ///
    /// # Panics
    /// If there are not as many names as values.
    pub fn new<N: Into<String>>(
        names: impl IntoIterator<Item = N, IntoIter: ExactSizeIterator>,
        values: impl IntoIterator<Item = f64, IntoIter: ExactSizeIterator>,
    ) -> Self {
        let (names, values) = (names.into_iter(), values.into_iter());
        assert_eq!(names.len(), values.len(), "a value for each name");
        Self(names.map(Into::into).zip(values).collect())
    }

    /// The value of a name.
    pub fn get(&self, name: &str) -> Option<f64> {
        self.iter().find_map(|(known, value)| (known == name).then_some(value))
    }

    /// The loss.
    pub fn loss(&self) -> f64 {
        self.get(LOSS).unwrap_or(f64::NAN)
    }

    /// Names and values in order.
    pub fn iter(&self) -> impl Iterator<Item = (&str, f64)> {
        self.0.iter().map(|(name, value)| (name.as_str(), *value))
    }

    /// Whether every value is finite.
    pub fn is_finite(&self) -> bool {
        self.iter().all(|(_, value)| value.is_finite())
    }
}

impl fmt::Display for Readings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, (name, value)) in self.iter().enumerate() {
            let comma = if index > 0 { ", " } else { "" };
            write!(f, "{comma}{} {value:.3}", name.replace('_', " "))?;
        }
        Ok(())
    }
}

impl Serialize for Readings {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.0.len()))?;
        for (name, value) in self.iter() {
            map.serialize_entry(name, &value)?;
        }
        map.end()
    }
}

impl<'de> Deserialize<'de> for Readings {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct InOrder;
        impl<'de> Visitor<'de> for InOrder {
            type Value = Readings;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object of numbers")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Readings, A::Error> {
                let mut readings = Vec::new();
                while let Some(entry) = map.next_entry()? {
                    readings.push(entry);
                }
                Ok(Readings(readings))
            }
        }
        deserializer.deserialize_map(InOrder)
    }
}

/// Sums of the readings of an epoch; stored in checkpoints, so that a resumed epoch has the same mean.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct ReadingMeans {
    /// In the order of the readings. Format 2 of the checkpoints has none.
    #[serde(default)]
    names: Vec<String>,
    sums: Vec<f64>,
    count: u64,
}

impl ReadingMeans {
    /// Adds a step.
    ///
    /// # Panics
    /// If its readings have other names than those before.
    pub fn add(&mut self, readings: &Readings) {
        if self.count == 0 {
            self.sums = vec![0.0; readings.0.len()];
        }
        if self.names.is_empty() || self.count == 0 {
            self.names = readings.iter().map(|(name, _)| name.to_owned()).collect();
        }
        assert!(
            self.sums.len() == readings.0.len() && self.names.iter().eq(readings.0.iter().map(|(name, _)| name)),
            "the readings of a run keep their names: {:?} and {readings:?}",
            self.names
        );
        for (sum, (_, value)) in self.sums.iter_mut().zip(readings.iter()) {
            *sum += value;
        }
        self.count += 1;
    }

    /// The mean of the readings that were added; `None` if none were, or none yet to sums without names.
    pub fn mean(&self) -> Option<Readings> {
        let mean = |sum: &f64| sum / self.count as f64;
        (self.count > 0 && self.names.len() == self.sums.len())
            .then(|| Readings::new(self.names.clone(), self.sums.iter().map(mean)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn readings(loss: f64, invariance: f64) -> Readings {
        Readings::new(["loss", "invariance"], [loss, invariance])
    }

    #[test]
    fn the_mean_survives_being_stored() {
        let mut means = ReadingMeans::default();
        assert_eq!(means.mean(), None);
        means.add(&readings(1.0 / 3.0, 2.0));
        let mut stored: ReadingMeans = serde_json::from_str(&serde_json::to_string(&means).unwrap()).unwrap();
        means.add(&readings(0.1, 4.0));
        stored.add(&readings(0.1, 4.0));
        assert_eq!(means, stored, "bit for bit");
        assert_eq!(means.mean().unwrap().get("invariance"), Some(3.0));
        assert!(!readings(1.0, f64::NAN).is_finite());
        assert_eq!(readings(1.0, 2.0).to_string(), "loss 1.000, invariance 2.000");
    }

    #[test]
    fn sums_of_format_2_have_no_names_and_are_continued() {
        let mut old: ReadingMeans = serde_json::from_str(r#"{"sums":[1.0,2.0],"count":1}"#).unwrap();
        assert_eq!(old.mean(), None);
        old.add(&readings(3.0, 4.0));
        assert_eq!(old.mean(), Some(readings(2.0, 3.0)));
        let mut empty: ReadingMeans = serde_json::from_str(r#"{"sums":[0.0,0.0,0.0],"count":0}"#).unwrap();
        empty.add(&readings(3.0, 4.0));
        assert_eq!(empty.mean(), Some(readings(3.0, 4.0)));
    }

    #[test]
    fn an_object_keeps_its_order() {
        let text = r#"{"loss":1.5,"b":2.0,"a":3.0}"#;
        let read: Readings = serde_json::from_str(text).unwrap();
        assert_eq!(serde_json::to_string(&read).unwrap(), text);
    }
}
