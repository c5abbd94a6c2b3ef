//! The book's config reference, generated from the config types: keys and their docs from the sources, defaults from the values.

use crate::common::root;
use barlow_engine::config::Config;
use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::Path;
use syn::{Attribute, Expr, Fields, Item, ItemEnum, ItemStruct, Lit, Meta, Type};
use toml::Value;

const PAGE: &str = "docs/src/config-reference.md";
/// Set it to write the page instead of comparing it.
const UPDATE: &str = "UPDATE_DOCS";

const HEAD: &str = "# Config reference\n\nEvery key of a recipe, with its default. Generated from the config types by `tests/config_reference.rs`: \
    do not edit.\n\nA recipe holds only the keys that differ from these defaults, which are the official ImageNet recipe. A key without \
    a default is optional. `--set SECTION.KEY=VALUE` overrides one on the command line. An unknown key is an error that names the \
    nearest known one.\n";

/// Folders whose types a config is made of.
const SOURCES: [&str; 6] = [
    "crates/engine/src/config",
    "crates/engine/src/methods",
    "crates/augment/src",
    "crates/data/src",
    "crates/loss/src/config",
    "crates/model/src",
];

/// The structs and enums of the sources by name; those of a method's file as `file::Name`.
#[derive(Default)]
struct Types {
    structs: BTreeMap<String, ItemStruct>,
    enums: BTreeMap<String, ItemEnum>,
}

impl Types {
    fn read(&mut self, path: &Path) {
        if path.is_dir() {
            let entries = std::fs::read_dir(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
            let mut paths: Vec<_> = entries.map(|entry| entry.unwrap().path()).collect();
            paths.sort();
            paths.iter().for_each(|path| self.read(path));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let text = std::fs::read_to_string(path).unwrap();
            let file = syn::parse_file(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
            let stem = path.file_stem().unwrap().to_str().unwrap();
            for item in file.items {
                match item {
                    Item::Struct(item) if item.ident == "Config" && stem != "config" => {
                        self.structs.insert(format!("{stem}::Config"), item);
                    }
                    Item::Struct(item) => {
                        self.structs.entry(item.ident.to_string()).or_insert(item);
                    }
                    Item::Enum(item) => {
                        self.enums.entry(item.ident.to_string()).or_insert(item);
                    }
                    _ => {}
                }
            }
        }
    }
}

/// The first paragraph of a doc comment, as Markdown without links to items.
fn doc(attributes: &[Attribute]) -> String {
    let lines = attributes
        .iter()
        .filter(|attribute| attribute.path().is_ident("doc"))
        .filter_map(|attribute| {
            let Meta::NameValue(meta) = &attribute.meta else {
                return None;
            };
            let Expr::Lit(literal) = &meta.value else { return None };
            let Lit::Str(text) = &literal.lit else { return None };
            Some(text.value().trim().to_owned())
        });
    let paragraph: Vec<String> = lines.take_while(|line| !line.is_empty()).collect();
    let mut text = paragraph.join(" ");
    // [`Name`](path) and [`Name`] are links of rustdoc's.
    while let Some(start) = text.find("[`") {
        let Some(close) = text[start..].find("`]").map(|at| start + at + 1) else {
            break;
        };
        let name = text[start + 1..close].to_owned();
        let target = text[close + 1..].starts_with('(');
        let end = if target {
            text[close..].find(')').map_or(text.len(), |at| close + at + 1)
        } else {
            close + 1
        };
        text.replace_range(start..end, &name);
    }
    text.replace('|', "\\|")
}

/// The name that a variant's own attribute gives it.
fn renamed(variant: &syn::Variant) -> Option<String> {
    let mut name = None;
    for attribute in variant
        .attrs
        .iter()
        .filter(|attribute| attribute.path().is_ident("serde"))
    {
        attribute
            .parse_nested_meta(|meta| {
                if let Ok(value) = meta.value() {
                    let value: Lit = value.parse()?;
                    if let (true, Lit::Str(text)) = (meta.path.is_ident("rename"), value) {
                        name = Some(text.value());
                    }
                }
                Ok(())
            })
            .expect("serde's attributes parse");
    }
    name
}

/// A value of an enum as serde writes it.
fn variant_name(item: &ItemEnum, variant: &syn::Variant) -> Option<String> {
    if let Some(name) = renamed(variant) {
        return Some(name);
    }
    let mut rule = None;
    for attribute in item.attrs.iter().filter(|attribute| attribute.path().is_ident("serde")) {
        attribute
            .parse_nested_meta(|meta| {
                if meta.path.is_ident("untagged") {
                    rule = Some("untagged".to_owned());
                }
                if let Ok(value) = meta.value() {
                    let value: Lit = value.parse()?;
                    if let (true, Lit::Str(text)) = (meta.path.is_ident("rename_all"), value) {
                        rule = Some(text.value());
                    }
                }
                Ok(())
            })
            .expect("serde's attributes parse");
    }
    let name = variant.ident.to_string();
    match rule.as_deref() {
        Some("lowercase") => Some(name.to_lowercase()),
        Some("kebab-case") => {
            let dashed = name.char_indices().map(|(at, letter)| {
                let dash = if at > 0 && letter.is_uppercase() { "-" } else { "" };
                format!("{dash}{}", letter.to_lowercase())
            });
            Some(dashed.collect())
        }
        _ => None,
    }
}

/// The name of a field's type, inside an `Option`.
fn type_name(field: &Type) -> String {
    let Type::Path(path) = field else { return String::new() };
    let last = path.path.segments.last().expect("a path has segments");
    if let (true, syn::PathArguments::AngleBracketed(inner)) = (last.ident == "Option", &last.arguments)
        && let Some(syn::GenericArgument::Type(inner)) = inner.args.first()
    {
        return type_name(inner);
    }
    last.ident.to_string()
}

fn default_text(value: Option<&Value>) -> String {
    match value {
        None => "–".to_owned(),
        Some(Value::String(text)) if text.is_empty() => "–".to_owned(),
        Some(value) => format!("`{}`", value.to_string().replace('|', "\\|")),
    }
}

/// The rows of a struct's keys, and the enums that they name.
fn rows(
    types: &Types,
    item: &ItemStruct,
    prefix: &str,
    defaults: Option<&Value>,
    out: &mut String,
    enums: &mut Vec<(String, String)>,
) {
    let Fields::Named(fields) = &item.fields else {
        panic!("{} has named fields", item.ident)
    };
    for field in &fields.named {
        let name = field.ident.as_ref().expect("a named field").to_string();
        let key = format!("{prefix}{name}");
        let value = defaults.and_then(|defaults| defaults.get(&name));
        let of = type_name(&field.ty);
        // The overrides of a view refer to the values that they override.
        let text = doc(&field.attrs);
        let text = match text
            .strip_prefix("See `")
            .and_then(|rest| rest.split('`').next()?.split_once("::"))
        {
            Some((owner, field)) => doc_of(types, owner, field),
            None => text,
        };
        match types.structs.get(&of) {
            Some(inner) => rows(types, inner, &format!("{key}."), value, out, enums),
            None => writeln!(out, "| `{key}` | {} | {text} |", default_text(value)).unwrap(),
        }
        collect_enums(types, &key, &of, enums);
    }
}

fn collect_enums(types: &Types, key: &str, name: &str, enums: &mut Vec<(String, String)>) {
    let Some(item) = types.enums.get(name) else { return };
    if item
        .variants
        .iter()
        .any(|variant| variant_name(item, variant).is_some())
    {
        if enums.iter().all(|(_, known)| known != name) {
            enums.push((key.to_owned(), name.to_owned()));
        }
        return;
    }
    // Of an untagged enum the named values are in another one.
    for variant in &item.variants {
        if let Fields::Unnamed(fields) = &variant.fields {
            fields
                .unnamed
                .iter()
                .for_each(|field| collect_enums(types, key, &type_name(&field.ty), enums));
        }
    }
}

fn doc_of(types: &Types, owner: &str, name: &str) -> String {
    let item = types.structs.get(owner).unwrap_or_else(|| panic!("{owner}"));
    let field = item
        .fields
        .iter()
        .find(|field| field.ident.as_ref().is_some_and(|ident| ident == name));
    doc(&field.unwrap_or_else(|| panic!("{owner}::{name}")).attrs)
}

fn page() -> String {
    let mut types = Types::default();
    SOURCES.iter().for_each(|folder| types.read(&root().join(folder)));
    let defaults = Value::try_from(Config::default()).expect("a config is TOML");
    let config = &types.structs["Config"];
    let mut out = HEAD.to_owned();
    for section in &config.fields {
        let name = section.ident.as_ref().unwrap().to_string();
        let _ = write!(
            out,
            "\n## `[{name}]`\n\n{}\n\n| key | default | meaning |\n|---|---|---|\n",
            doc(&section.attrs)
        );
        let mut enums = Vec::new();
        match types.structs.get(&type_name(&section.ty)) {
            Some(item) => rows(&types, item, "", defaults.get(&name), &mut out, &mut enums),
            // The registry's macro declares it: the method, and a table for each method.
            None => methods(&types, &mut out, &mut enums),
        }
        for (key, name) in enums {
            let item = &types.enums[&name];
            let _ = write!(out, "\nValues of `{key}`. {}\n\n", doc(&item.attrs));
            for variant in &item.variants {
                let _ = writeln!(
                    out,
                    "- `{}`: {}",
                    variant_name(item, variant).unwrap(),
                    doc(&variant.attrs)
                );
            }
        }
    }
    out
}

fn methods(types: &Types, out: &mut String, enums: &mut Vec<(String, String)>) {
    use barlow_engine::methods::{MethodKind, MethodSection};
    let names: Vec<_> = MethodKind::ALL
        .iter()
        .map(|kind| format!("`{}`", kind.name()))
        .collect();
    let _ = writeln!(
        out,
        "| `kind` | `\"{}\"` | The method: one of {}. |",
        MethodKind::default().name(),
        names.join(", ")
    );
    for kind in MethodKind::ALL {
        let Some(item) = types.structs.get(&format!("{}::Config", kind.name().replace('-', "_"))) else {
            continue;
        };
        let defaults = MethodSection::of(*kind).table(*kind);
        rows(types, item, &format!("{}.", kind.name()), Some(&defaults), out, enums);
    }
}

#[test]
fn the_config_reference_is_that_of_the_types() {
    let (path, page) = (root().join(PAGE), page());
    if std::env::var_os(UPDATE).is_some() {
        std::fs::write(&path, &page).unwrap();
    }
    let found = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(
        found == page,
        "{PAGE} differs from the config types; write it with {UPDATE}=1 cargo test -p train --release --test program config_reference"
    );
}
