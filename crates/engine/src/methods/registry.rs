//! The registry of methods: from a name in a config to settings, spec and code.

use super::{LossSection, barlow_twins};
use crate::backend::TrainBackend;
use crate::method::{Method, MethodAbout, MethodDefinition, MethodInputs};
use serde::{Deserialize, Serialize};

/// Declares the kinds, the `[method]` section with one table per method, and the ways from a kind to its module's items: `NAME`,
/// `ABOUT`, `Config` (its table, a [`MethodDefinition`]) and `build`.
macro_rules! registry {
    ($($kind:ident = $module:ident, $name:literal;)*) => {
        /// The methods, by their names in configs.
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
        pub enum MethodKind {
            /// Barlow Twins.
            #[default]
            #[serde(rename = "barlow-twins")]
            BarlowTwins,
            $(
                #[doc = concat!("`", $name, "`.")]
                #[serde(rename = $name)]
                $kind,
            )*
        }

        /// `[method]`: which method, and a table of settings for each (Barlow Twins' are `[loss]`).
        #[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
        #[serde(default, deny_unknown_fields)]
        pub struct MethodSection {
            /// The method.
            pub kind: MethodKind,
            $(
                #[doc = concat!("`[method.", $name, "]`.")]
                #[serde(rename = $name, skip_serializing_if = "is_default")]
                pub $module: super::$module::Config,
            )*
        }

        impl MethodKind {
            /// Every method.
            pub const ALL: &[Self] = &[Self::BarlowTwins, $(Self::$kind,)*];

            /// Its name in configs.
            pub fn name(self) -> &'static str {
                match self {
                    Self::BarlowTwins => barlow_twins::NAME,
                    $(Self::$kind => $name,)*
                }
            }

            /// What it is.
            pub fn about(self) -> MethodAbout {
                match self {
                    Self::BarlowTwins => barlow_twins::ABOUT,
                    $(Self::$kind => super::$module::ABOUT,)*
                }
            }
        }

        impl MethodSection {
            /// A method with its default settings.
            pub fn of(kind: MethodKind) -> Self {
                Self {
                    kind,
                    $($module: super::$module::Config::default(),)*
                }
            }

            /// The table of a method as TOML, with every key; empty for Barlow Twins, whose settings are `[loss]`.
            pub fn table(&self, kind: MethodKind) -> toml::Value {
                let table = match kind {
                    MethodKind::BarlowTwins => Ok(toml::Table::new().into()),
                    $(MethodKind::$kind => toml::Value::try_from(&self.$module),)*
                };
                table.expect("settings have only TOML types")
            }

            /// The settings of the method; `loss` is the section of Barlow Twins.
            pub fn definition<'a>(&'a self, loss: &'a LossSection) -> &'a dyn MethodDefinition {
                match self.kind {
                    MethodKind::BarlowTwins => loss,
                    $(MethodKind::$kind => &self.$module,)*
                }
            }

            /// The method on a backend.
            pub fn build<B: TrainBackend>(&self, loss: &LossSection, inputs: &MethodInputs) -> Box<dyn Method<B>> {
                match self.kind {
                    MethodKind::BarlowTwins => barlow_twins::build(loss, inputs),
                    $(MethodKind::$kind => super::$module::build(&self.$module, inputs),)*
                }
            }
        }
    };
}

registry! {
    Byol = byol, "byol";
    Dino = dino, "dino";
    Hsic = hsic, "hsic";
    MixBt = mix_bt, "mix-bt";
    MocoV2 = moco_v2, "moco-v2";
    MocoV3 = moco_v3, "moco-v3";
    Sela = sela, "sela";
    SimClr = simclr, "simclr";
    SimSiam = simsiam, "simsiam";
    Supervised = supervised, "supervised";
    Swav = swav, "swav";
    Vicreg = vicreg, "vicreg";
    WMse = w_mse, "w-mse";
}

/// Whether a table holds its defaults: it is then omitted from a stored config, so that a run does not depend on methods that it
/// does not use.
pub fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use barlow_augment::ViewsConfig;
    use barlow_model::ProjectorConfig;

    #[test]
    fn every_method_has_a_name_a_spec_and_settings_in_range() {
        let inputs = MethodInputs {
            views: ViewsConfig::default().groups(),
            projector: ProjectorConfig { widths: vec![32, 16] }.mlp(true),
            batch_size: 8,
            largest_buffer: None,
        };
        let loss = LossSection::default();
        for kind in MethodKind::ALL {
            let section: MethodSection = toml::from_str(&format!("kind = \"{}\"", kind.name())).unwrap();
            assert_eq!(section.kind, *kind);
            let definition = section.definition(&loss);
            assert_eq!(definition.validate(), Ok(()));
            let spec = definition.spec(&inputs);
            assert_eq!(spec.kind, kind.name());
            assert!(!spec.groups_of_views().is_empty());
            assert!(definition.outlook(&inputs).peak_values > 0, "{}", spec.kind);
            assert!(!kind.about().summary.is_empty() && !kind.about().source.is_empty());
        }
        assert!(is_default(&0) && !is_default(&1));
    }
}
