//! The graph of a crate's source files and the circles in it.
//!
//! A file depends on another one if it imports an item that is defined there, or names it by a path. Imports are followed through
//! re-exports to the file of the definition, so `mod.rs` files that only declare and re-export depend on nothing. Test code is
//! ignored. Not seen: method calls (the type is), and macro arguments that are not a list of expressions.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::path::{Component, Path, PathBuf};
use syn::punctuated::Punctuated;
use syn::visit::{self, Visit};
use syn::{Attribute, ImplItemFn, Item, ItemUse, Meta, Token, UseTree, Visibility};

/// The circles among the files of a crate, given its root (`src/lib.rs`): a shortest one through each file that lies on one.
/// Each line of a circle is `file -> file: imported names`. `read` returns the text of a file, or `None` if it does not exist.
///
/// # Panics
///
/// If a file of a `mod` declaration does not exist, or a file cannot be parsed.
pub fn circles(root: &Path, read: &dyn Fn(&Path) -> Option<String>) -> Vec<String> {
    let mut tree = Tree {
        modules: Vec::new(),
        read,
    };
    tree.load_file(root, None, root.parent().expect("the root lies in a folder"));
    let edges = tree.edges();
    let mut found = BTreeSet::new();
    for file in edges.keys() {
        let Some(mut circle) = shortest_circle(&edges, file) else {
            continue;
        };
        // The same circle is found from each of its files: it starts at the first by name.
        let first = (0..circle.len()).min_by_key(|&at| circle[at]).expect("not empty");
        circle.rotate_left(first);
        found.insert(circle);
    }
    let mut found: Vec<_> = found.into_iter().collect();
    found.sort_by_key(Vec::len);
    let source = root.parent().expect("the root lies in a folder");
    let shown = |file: &Path| {
        let path = file.strip_prefix(source).unwrap_or(file);
        path.to_string_lossy().replace('\\', "/")
    };
    let line = |from: &Path, to: &Path| {
        let names: Vec<&str> = edges[from][to].iter().map(String::as_str).collect();
        format!("{} -> {}: {}", shown(from), shown(to), names.join(", "))
    };
    let lines = |circle: &Vec<&Path>| {
        let pairs = circle.iter().zip(circle.iter().cycle().skip(1));
        pairs.map(|(from, to)| line(from, to)).collect::<Vec<_>>().join("\n")
    };
    found.iter().map(lines).collect()
}

/// From file to file, with the names of the items.
type Edges = BTreeMap<PathBuf, BTreeMap<PathBuf, BTreeSet<String>>>;

/// The files of a shortest circle that begins with `start`.
fn shortest_circle<'a>(edges: &'a Edges, start: &'a Path) -> Option<Vec<&'a Path>> {
    let mut previous: BTreeMap<&Path, &Path> = BTreeMap::new();
    let mut queue = VecDeque::from([start]);
    while let Some(file) = queue.pop_front() {
        for next in edges.get(file).into_iter().flat_map(|to| to.keys()) {
            if next == start {
                let mut circle = vec![file];
                while *circle.last().expect("not empty") != start {
                    circle.push(previous[circle.last().expect("not empty")]);
                }
                circle.reverse();
                return Some(circle);
            }
            if !previous.contains_key(next.as_path()) {
                previous.insert(next, file);
                queue.push_back(next);
            }
        }
    }
    None
}

/// What a path resolves to.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Target {
    Module(usize),
    Item { module: usize, name: String },
}

#[derive(Clone, Copy, PartialEq)]
enum Kind {
    Private,
    Reexport,
    /// Inside a function: brings no name into the module.
    Local,
}

/// A leaf of a `use` tree.
struct Import {
    kind: Kind,
    /// `None` for a glob.
    name: Option<String>,
    path: Vec<String>,
}

/// A module as it is written, names not resolved.
#[derive(Default)]
struct Module {
    file: PathBuf,
    parent: Option<usize>,
    /// Several under one name if they are for different configurations.
    children: BTreeMap<String, Vec<usize>>,
    items: BTreeSet<String>,
    imports: Vec<Import>,
    /// Paths in types and expressions.
    paths: BTreeSet<Vec<String>>,
    /// Names of parameters and local variables.
    locals: BTreeSet<String>,
}

/// The modules of a crate; the first is its root.
struct Tree<'a> {
    modules: Vec<Module>,
    read: &'a dyn Fn(&Path) -> Option<String>,
}

impl Tree<'_> {
    /// Loads a file and the modules below it, whose files are searched for in `folder`.
    fn load_file(&mut self, file: &Path, parent: Option<usize>, folder: &Path) -> usize {
        let text = (self.read)(file).unwrap_or_else(|| panic!("{} does not exist", file.display()));
        let parsed = syn::parse_file(&text).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
        self.load_module(&parsed.items, file, parent, folder)
    }

    fn load_module(&mut self, items: &[Item], file: &Path, parent: Option<usize>, folder: &Path) -> usize {
        let own = self.modules.len();
        self.modules.push(Module {
            file: file.to_owned(),
            parent,
            ..Module::default()
        });
        for item in items.iter().filter(|item| !is_test(attributes(item))) {
            if let Item::Mod(declaration) = item {
                let name = text(&declaration.ident);
                let child = match &declaration.content {
                    Some((_, items)) => self.load_module(items, file, Some(own), &folder.join(&name)),
                    None => {
                        let (file, folder) = self.locate(&name, &declaration.attrs, file, folder);
                        self.load_file(&file, Some(own), &folder)
                    }
                };
                self.modules[own].children.entry(name).or_default().push(child);
                continue;
            }
            let module = &mut self.modules[own];
            if let Item::Use(import) = item {
                let kind = match import.vis {
                    Visibility::Public(_) => Kind::Reexport,
                    Visibility::Restricted(ref vis) if !vis.path.is_ident("self") => Kind::Reexport,
                    _ => Kind::Private,
                };
                module.import(kind, import);
                continue;
            }
            module.items.extend(defined_name(item));
            module.visit_item(item);
        }
        own
    }

    /// The file of a module that is declared without a body, and the folder of the modules below it.
    fn locate(&self, name: &str, attributes: &[Attribute], declared_in: &Path, folder: &Path) -> (PathBuf, PathBuf) {
        let given = attributes.iter().find_map(|attribute| match &attribute.meta {
            Meta::NameValue(pair) if pair.path.is_ident("path") => match &pair.value {
                syn::Expr::Lit(syn::ExprLit {
                    lit: syn::Lit::Str(path),
                    ..
                }) => Some(path.value()),
                _ => None,
            },
            _ => None,
        });
        if let Some(given) = given {
            let beside = declared_in.parent().expect("a file lies in a folder");
            let file = without_dots(&beside.join(given));
            let folder = file.parent().expect("a file lies in a folder").to_owned();
            return (file, folder);
        }
        let (flat, nested) = (folder.join(format!("{name}.rs")), folder.join(name));
        let file = if (self.read)(&flat).is_some() {
            flat
        } else {
            nested.join("mod.rs")
        };
        (file, nested)
    }

    /// What `name` stands for in a module. `open` are the imports that are being followed, so that no search goes round.
    fn look_up(&self, module: usize, name: &str, open: &mut Vec<(usize, usize)>) -> BTreeSet<Target> {
        let own = &self.modules[module];
        let mut found = BTreeSet::new();
        if own.items.contains(name) {
            found.insert(Target::Item {
                module,
                name: name.to_owned(),
            });
        }
        found.extend(
            own.children
                .get(name)
                .into_iter()
                .flatten()
                .map(|&child| Target::Module(child)),
        );
        found.extend(self.follow(module, open, |import| import.name.as_deref() == Some(name)));
        if found.is_empty() {
            let globs = self.follow(module, open, |import| import.name.is_none());
            for target in globs {
                if let Target::Module(other) = target
                    && other != module
                {
                    found.extend(self.look_up(other, name, open));
                }
            }
        }
        found
    }

    /// What the chosen imports of a module stand for.
    fn follow(
        &self,
        module: usize,
        open: &mut Vec<(usize, usize)>,
        chosen: impl Fn(&Import) -> bool,
    ) -> BTreeSet<Target> {
        let mut found = BTreeSet::new();
        for (index, import) in self.modules[module].imports.iter().enumerate() {
            if import.kind != Kind::Local && chosen(import) && !open.contains(&(module, index)) {
                open.push((module, index));
                found.extend(self.resolve(module, &import.path, open));
                open.pop();
            }
        }
        found
    }

    /// What a path stands for; nothing if it leads out of the crate. What follows an item, such as a variant, is ignored.
    fn resolve(&self, module: usize, path: &[String], open: &mut Vec<(usize, usize)>) -> BTreeSet<Target> {
        let mut found = match path[0].as_str() {
            "crate" => BTreeSet::from([Target::Module(0)]),
            "self" => BTreeSet::from([Target::Module(module)]),
            "super" => self.modules[module].parent.map(Target::Module).into_iter().collect(),
            name => self.look_up(module, name, open),
        };
        for name in &path[1..] {
            let (modules, items): (Vec<_>, Vec<_>) =
                found.iter().partition(|target| matches!(target, Target::Module(_)));
            let mut next = BTreeSet::new();
            for target in &modules {
                if let Target::Module(at) = target {
                    match name.as_str() {
                        "super" => next.extend(self.modules[*at].parent.map(Target::Module)),
                        name => next.extend(self.look_up(*at, name, open)),
                    }
                }
            }
            if next.is_empty() {
                if !items.is_empty() || modules.is_empty() {
                    return items.into_iter().cloned().collect();
                }
                // Not found where it must be: a macro defines it.
                let defined = modules.into_iter().filter_map(|target| match target {
                    Target::Module(at) => Some(Target::Item {
                        module: *at,
                        name: name.clone(),
                    }),
                    Target::Item { .. } => None,
                });
                return defined.collect();
            }
            found = next;
        }
        found
    }

    fn edges(&self) -> Edges {
        let mut edges = Edges::new();
        let mut add = |from: &Module, to: usize, name: &str| {
            let to = &self.modules[to].file;
            if *to != from.file {
                let names = edges.entry(from.file.clone()).or_default().entry(to.clone());
                names.or_default().insert(name.to_owned());
            }
        };
        for (index, module) in self.modules.iter().enumerate() {
            for import in module.imports.iter().filter(|import| import.kind != Kind::Reexport) {
                let targets = self.resolve(index, &import.path, &mut Vec::new());
                let any_item = targets.iter().any(|target| matches!(target, Target::Item { .. }));
                for target in targets {
                    match (target, &import.name) {
                        (Target::Item { module, name }, _) => add(&self.modules[index], module, &name),
                        // The items that are used by name are found below.
                        (Target::Module(at), None) if !self.modules[at].items.is_empty() => add(module, at, "*"),
                        (Target::Module(_), None) => {}
                        (Target::Module(at), Some(name)) => {
                            let leads_on = |path: &Vec<String>| path.len() > 1 && path[0] == *name;
                            if !any_item && !module.paths.iter().any(leads_on) {
                                add(module, at, name);
                            }
                        }
                    }
                }
            }
            for path in &module.paths {
                if path.len() == 1 && module.locals.contains(&path[0]) {
                    continue;
                }
                for target in self.resolve(index, path, &mut Vec::new()) {
                    if let Target::Item { module: at, name } = target {
                        add(module, at, &name);
                    }
                }
            }
        }
        edges
    }
}

impl Module {
    fn import(&mut self, kind: Kind, import: &ItemUse) {
        // `::name` leads out of the crate.
        if import.leading_colon.is_none() {
            self.import_tree(kind, &mut Vec::new(), &import.tree);
        }
    }

    fn import_tree(&mut self, kind: Kind, prefix: &mut Vec<String>, tree: &UseTree) {
        let (last, name) = match tree {
            UseTree::Path(path) => {
                prefix.push(text(&path.ident));
                self.import_tree(kind, prefix, &path.tree);
                prefix.pop();
                return;
            }
            UseTree::Group(group) => {
                for tree in &group.items {
                    self.import_tree(kind, prefix, tree);
                }
                return;
            }
            UseTree::Glob(_) => (None, None),
            UseTree::Name(leaf) => (Some(text(&leaf.ident)), Some(text(&leaf.ident))),
            UseTree::Rename(leaf) => (Some(text(&leaf.ident)), Some(text(&leaf.rename))),
        };
        let mut path = prefix.clone();
        let mut name = name;
        match last {
            // `use a::{self}` imports `a`.
            Some(last) if last == "self" && !path.is_empty() => {
                if name.as_deref() == Some("self") {
                    name = path.last().cloned();
                }
            }
            last => path.extend(last),
        }
        if !path.is_empty() {
            self.imports.push(Import { kind, name, path });
        }
    }
}

impl<'ast> Visit<'ast> for Module {
    fn visit_item(&mut self, item: &'ast Item) {
        if !is_test(attributes(item)) {
            visit::visit_item(self, item);
        }
    }

    fn visit_impl_item_fn(&mut self, function: &'ast ImplItemFn) {
        if !is_test(&function.attrs) {
            visit::visit_impl_item_fn(self, function);
        }
    }

    fn visit_item_use(&mut self, import: &'ast ItemUse) {
        self.import(Kind::Local, import);
    }

    fn visit_path(&mut self, path: &'ast syn::Path) {
        if path.leading_colon.is_none() {
            self.paths
                .insert(path.segments.iter().map(|segment| text(&segment.ident)).collect());
        }
        visit::visit_path(self, path);
    }

    fn visit_pat_ident(&mut self, local: &'ast syn::PatIdent) {
        self.locals.insert(text(&local.ident));
        visit::visit_pat_ident(self, local);
    }

    fn visit_macro(&mut self, call: &'ast syn::Macro) {
        self.visit_path(&call.path);
        // As `format!` and `assert!` are called; anything else is skipped.
        if let Ok(arguments) = call.parse_body_with(Punctuated::<syn::Expr, Token![,]>::parse_terminated) {
            for argument in &arguments {
                Visit::visit_expr(self, argument);
            }
        }
    }

    fn visit_attribute(&mut self, _: &'ast Attribute) {}

    fn visit_visibility(&mut self, _: &'ast Visibility) {}
}

/// An identifier without the mark of a raw one.
fn text(ident: &syn::Ident) -> String {
    ident.to_string().trim_start_matches("r#").to_owned()
}

/// `a/b/../c` as `a/c`.
fn without_dots(path: &Path) -> PathBuf {
    let mut out = PathBuf::new();
    for component in path.components() {
        match component {
            Component::ParentDir => drop(out.pop()),
            Component::CurDir => {}
            other => out.push(other),
        }
    }
    out
}

fn defined_name(item: &Item) -> Option<String> {
    let ident = match item {
        Item::Const(item) => &item.ident,
        Item::Enum(item) => &item.ident,
        Item::Fn(item) => &item.sig.ident,
        Item::Macro(item) => item.ident.as_ref()?,
        Item::Static(item) => &item.ident,
        Item::Struct(item) => &item.ident,
        Item::Trait(item) => &item.ident,
        Item::TraitAlias(item) => &item.ident,
        Item::Type(item) => &item.ident,
        Item::Union(item) => &item.ident,
        _ => return None,
    };
    Some(text(ident))
}

fn attributes(item: &Item) -> &[Attribute] {
    match item {
        Item::Const(item) => &item.attrs,
        Item::Enum(item) => &item.attrs,
        Item::ExternCrate(item) => &item.attrs,
        Item::Fn(item) => &item.attrs,
        Item::ForeignMod(item) => &item.attrs,
        Item::Impl(item) => &item.attrs,
        Item::Macro(item) => &item.attrs,
        Item::Mod(item) => &item.attrs,
        Item::Static(item) => &item.attrs,
        Item::Struct(item) => &item.attrs,
        Item::Trait(item) => &item.attrs,
        Item::TraitAlias(item) => &item.attrs,
        Item::Type(item) => &item.attrs,
        Item::Union(item) => &item.attrs,
        Item::Use(item) => &item.attrs,
        _ => &[],
    }
}

/// Whether the item exists in tests only.
fn is_test(attributes: &[Attribute]) -> bool {
    let conditions = attributes.iter().filter(|attribute| attribute.path().is_ident("cfg"));
    conditions
        .filter_map(|attribute| attribute.parse_args::<Meta>().ok())
        .any(|condition| holds_outside_tests(&condition) == Some(false))
}

/// Whether a condition holds in an ordinary build; `None` if that depends on the features or the target.
fn holds_outside_tests(condition: &Meta) -> Option<bool> {
    let parts = |list: &syn::MetaList| -> Vec<Option<bool>> {
        let parts = list.parse_args_with(Punctuated::<Meta, Token![,]>::parse_terminated);
        parts.iter().flatten().map(holds_outside_tests).collect()
    };
    // `all` is decided by one part that is false, `any` by one that is true.
    let decided_by = |parts: Vec<Option<bool>>, value: bool| {
        if parts.contains(&Some(value)) {
            Some(value)
        } else if parts.contains(&None) {
            None
        } else {
            Some(!value)
        }
    };
    match condition {
        Meta::Path(path) if path.is_ident("test") || path.is_ident("doctest") => Some(false),
        Meta::List(list) if list.path.is_ident("not") => parts(list).first().copied().flatten().map(|holds| !holds),
        Meta::List(list) if list.path.is_ident("all") => decided_by(parts(list), false),
        Meta::List(list) if list.path.is_ident("any") => decided_by(parts(list), true),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn circles_of(files: &[(&str, &str)]) -> Vec<String> {
        let read = |path: &Path| {
            let found = files.iter().find(|(name, _)| Path::new("src").join(name) == path);
            found.map(|(_, text)| (*text).to_owned())
        };
        circles(Path::new("src/lib.rs"), &read)
    }

    #[test]
    fn a_circle_is_spelled_out() {
        let found = circles_of(&[
            ("lib.rs", "mod a; mod b; mod c; mod free;"),
            ("a.rs", "use crate::b::{B, beta}; pub struct A;"),
            (
                "b.rs",
                "use super::c::C; use crate::free::F; pub struct B; pub fn beta() {}",
            ),
            ("c.rs", "use crate::{a::A as Renamed}; pub struct C;"),
            ("free.rs", "use std::fmt; pub struct F;"),
        ]);
        assert_eq!(found, ["a.rs -> b.rs: B, beta\nb.rs -> c.rs: C\nc.rs -> a.rs: A"]);
    }

    #[test]
    fn a_child_and_its_parent_are_a_circle_if_both_use_each_other() {
        let child = ("child.rs", "use super::Parent; pub fn run() -> Parent { Parent }");
        let with_parent = |parent: &str| circles_of(&[("lib.rs", parent), child]);
        let circle = ["child.rs -> lib.rs: Parent\nlib.rs -> child.rs: run"];
        assert_eq!(with_parent("mod child; use child::run; pub struct Parent;"), circle);
        assert_eq!(
            with_parent("mod child; pub struct Parent; fn go() { child::run(); }"),
            circle
        );
        assert_eq!(
            with_parent("mod child; pub struct Parent; fn go() { println!(\"{:?}\", self::child::run()); }"),
            circle
        );
        assert_eq!(
            with_parent("mod child; pub use child::run; pub struct Parent; fn go() { run(); }"),
            circle,
            "a re-export that is also used"
        );
        assert!(with_parent("mod child; pub use child::run; pub struct Parent;").is_empty());
        assert!(with_parent("mod child; pub(crate) use child::*; pub struct Parent;").is_empty());
    }

    #[test]
    fn reexports_are_followed_to_the_definition() {
        let files = |lib: &'static str, second: &'static str| {
            circles_of(&[
                ("lib.rs", lib),
                (
                    "deep/mod.rs",
                    "mod first; mod second; pub use first::First; pub use second::*;",
                ),
                ("deep/first.rs", "use crate::Second; pub struct First;"),
                ("deep/second.rs", second),
            ])
        };
        let lib = "mod deep; pub use deep::{First, Second};";
        assert!(
            files(lib, "pub struct Second;").is_empty(),
            "siblings, through two re-exports"
        );
        let circle = ["deep/first.rs -> deep/second.rs: Second\ndeep/second.rs -> deep/first.rs: First"];
        assert_eq!(files(lib, "use crate::deep::First; pub struct Second;"), circle);
        assert_eq!(files(lib, "use super::super::First as F; pub struct Second;"), circle);
        assert_eq!(
            files(
                lib,
                "use crate::deep; pub struct Second; impl From<deep::First> for Second {}"
            ),
            circle
        );
        let glob = "mod deep; pub use deep::*;";
        assert_eq!(files(glob, "use crate::*; pub struct Second(First);"), circle);
        assert!(files(glob, "use crate::*; pub struct Second;").is_empty());
    }

    #[test]
    fn a_function_and_a_module_may_share_a_name() {
        let files = |knn: &'static str| {
            circles_of(&[
                ("lib.rs", "mod knn; mod user; pub use knn::knn; pub struct Root;"),
                ("knn.rs", knn),
                ("user.rs", "use crate::knn; pub struct User; fn f() { knn(); }"),
            ])
        };
        assert!(files("use crate::Root; pub fn knn() {}").is_empty());
        assert_eq!(
            files("use crate::user::User; pub fn knn() {}"),
            ["knn.rs -> user.rs: User\nuser.rs -> knn.rs: knn"]
        );
    }

    #[test]
    fn test_code_is_ignored() {
        let user = "use crate::b::B; pub struct A;";
        let files = |b: &'static str| circles_of(&[("lib.rs", "mod a; mod b;"), ("a.rs", user), ("b.rs", b)]);
        for test in [
            "pub struct B; #[cfg(test)] mod tests { use crate::a::A; }",
            "pub struct B; #[cfg(test)] #[path = \"no_such_file.rs\"] mod tests;",
            "pub struct B; #[cfg(all(test, feature = \"cpu\"))] use crate::a::A;",
            "pub struct B; impl B { #[cfg(test)] fn f() -> crate::a::A {} }",
        ] {
            assert!(files(test).is_empty(), "{test}");
        }
        for ordinary in [
            "pub struct B; #[cfg(feature = \"cpu\")] mod inner { use crate::a::A; }",
            "pub struct B; #[cfg(any(test, feature = \"cpu\"))] use crate::a::A;",
            "pub struct B; #[cfg(not(test))] fn f() { use crate::a::A; }",
            "pub struct B; impl B { fn f() -> crate::a::A {} }",
        ] {
            assert_eq!(files(ordinary).len(), 1, "{ordinary}");
        }
    }

    #[test]
    fn files_are_found_as_the_compiler_finds_them() {
        let found = circles_of(&[
            (
                "lib.rs",
                "mod flat; mod inline { mod below; } #[path = \"odd/../odd/name.rs\"] mod odd;",
            ),
            ("flat.rs", "mod below; use below::X; pub struct Y;"),
            ("flat/below.rs", "use super::Y; pub struct X;"),
            ("inline/below.rs", "use crate::odd::beside::Z; pub struct W;"),
            ("odd/name.rs", "pub mod beside;"),
            ("odd/beside.rs", "use crate::inline::below::W; pub struct Z;"),
        ]);
        assert_eq!(
            found,
            [
                "flat/below.rs -> flat.rs: Y\nflat.rs -> flat/below.rs: X",
                "inline/below.rs -> odd/beside.rs: Z\nodd/beside.rs -> inline/below.rs: W",
            ]
        );
    }

    #[test]
    fn what_a_macro_defines_lies_in_its_file() {
        let found = circles_of(&[
            ("lib.rs", "mod a; mod b;"),
            (
                "a.rs",
                "use crate::b::Made; macro_rules! local { () => {} } pub(crate) use local;",
            ),
            ("b.rs", "use crate::a::local; make! { Made }"),
        ]);
        assert_eq!(found, ["a.rs -> b.rs: Made\nb.rs -> a.rs: local"]);
    }

    #[test]
    fn variables_and_other_crates_are_no_edges() {
        let files = |b: &'static str| {
            circles_of(&[
                ("lib.rs", "mod a; mod b; pub use a::value;"),
                ("a.rs", "use crate::b::B; pub fn value() {}"),
                ("b.rs", b),
            ])
        };
        assert!(files("use ::a::value; use std::collections::*; pub struct B;").is_empty());
        assert!(files("pub use crate::value; pub struct B; fn f(value: u8) -> u8 { value }").is_empty());
        assert_eq!(files("pub use crate::value; pub struct B; fn f() { value() }").len(), 1);
    }
}
