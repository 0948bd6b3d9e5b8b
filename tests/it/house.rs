//! The imports of every crate have no cycles: if a module needs another one, directly or indirectly, that one does not need it in
//! turn. A re-exported name counts where it is defined, so that no cycle hides behind a re-export.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::str::FromStr;

use proc_macro2::{Delimiter, TokenStream, TokenTree};

/// A module's path inside its crate; empty: the crate's root.
type Module = Vec<String>;

/// The modules in the source of one crate.
#[derive(Default)]
struct House {
    /// Every path in a module.
    mentions: Vec<(Module, Vec<String>)>,
    modules: BTreeSet<Module>,
    /// The names that a module re-exports, each with its path.
    exports: BTreeMap<(Module, String), Vec<String>>,
}

impl House {
    fn of(source: &Path) -> Self {
        let mut house = Self::default();
        let root = ["lib.rs", "main.rs"]
            .into_iter()
            .map(|file| source.join(file))
            .find(|file| file.exists())
            .unwrap();
        house.file(&root, source, Vec::new());
        house
    }

    fn file(&mut self, file: &Path, folder: &Path, module: Module) {
        let text = std::fs::read_to_string(file)
            .unwrap_or_else(|error| panic!("{}: {error}", file.display()));
        let tokens = TokenStream::from_str(&text)
            .unwrap_or_else(|error| panic!("{}: {error}", file.display()));
        self.modules.insert(module.clone());
        self.items(tokens, folder, &module);
    }

    /// Reads the items of a module; `folder` has the files of its submodules.
    fn items(&mut self, tokens: TokenStream, folder: &Path, module: &Module) {
        let tokens: Vec<TokenTree> = tokens.into_iter().collect();
        let mut at = 0;
        let mut public = false;
        let mut only_in_tests = false;
        while at < tokens.len() {
            match &tokens[at] {
                // An attribute of the file itself, such as its first comment.
                TokenTree::Punct(punct)
                    if punct.as_char() == '#' && tokens[at + 1].to_string() == "!" =>
                {
                    at += 3;
                    continue;
                }
                TokenTree::Punct(punct) if punct.as_char() == '#' => {
                    let attribute = tokens.get(at + 1).map(ToString::to_string);
                    let attribute = attribute.unwrap_or_default().replace(' ', "");
                    only_in_tests |= attribute.starts_with("[cfg(test)")
                        || attribute.starts_with("[cfg(any(test,fuzzing))")
                        || attribute == "[test]";
                    at += 2;
                    continue;
                }
                TokenTree::Ident(word) if word == "pub" => {
                    public = true;
                    at += 1;
                    // pub(crate), pub(super)
                    if matches!(tokens.get(at), Some(TokenTree::Group(group)) if group.delimiter() == Delimiter::Parenthesis)
                    {
                        at += 1;
                    }
                    continue;
                }
                TokenTree::Ident(word) if word == "mod" => {
                    let name = tokens[at + 1].to_string();
                    let inner = [&module[..], std::slice::from_ref(&name)].concat();
                    match (&tokens[at + 2], only_in_tests) {
                        (_, true) => {}
                        (TokenTree::Group(group), _) => {
                            self.modules.insert(inner.clone());
                            self.items(group.stream(), &folder.join(&name), &inner);
                        }
                        _ => {
                            let (file, nested) = (
                                folder.join(format!("{name}.rs")),
                                folder.join(&name).join("mod.rs"),
                            );
                            let file = if file.exists() { file } else { nested };
                            self.file(&file, &folder.join(&name), inner);
                        }
                    }
                    at += 3;
                }
                TokenTree::Ident(word) if word == "use" => {
                    let end = (at..tokens.len())
                        .find(|at| tokens[*at].to_string() == ";")
                        .unwrap();
                    if !only_in_tests {
                        let tree = &tokens[at + 1..end];
                        self.imports(tree, &[], module, public);
                    }
                    at = end + 1;
                }
                _ => {
                    // Another item: all paths up to its end.
                    let end = (at..tokens.len())
                        .find(|at| match &tokens[*at] {
                            TokenTree::Group(group) => group.delimiter() == Delimiter::Brace,
                            token => token.to_string() == ";",
                        })
                        .unwrap_or(tokens.len() - 1);
                    if !only_in_tests {
                        self.paths(&tokens[at..=end], module);
                    }
                    at = end + 1;
                }
            }
            (public, only_in_tests) = (false, false);
        }
    }

    /// One tree of a `use`, below `prefix`.
    fn imports(&mut self, tree: &[TokenTree], prefix: &[String], module: &Module, public: bool) {
        let mut path = prefix.to_vec();
        let mut alias = None;
        let mut tokens = tree.iter().peekable();
        while let Some(token) = tokens.next() {
            match token {
                TokenTree::Ident(word) if word == "as" => {
                    alias = tokens.next().map(ToString::to_string);
                }
                TokenTree::Ident(word) => path.push(word.to_string()),
                TokenTree::Punct(punct) if punct.as_char() == '*' => {
                    assert!(
                        !public,
                        "{module:?} re-exports everything in {path:?}: name each item"
                    );
                }
                TokenTree::Group(group) => {
                    let inner: Vec<TokenTree> = group.stream().into_iter().collect();
                    for branch in inner.split(|token| token.to_string() == ",") {
                        self.imports(branch, &path, module, public);
                    }
                    return;
                }
                _ => {}
            }
        }
        if path.len() == prefix.len() {
            return;
        }
        if path.last().is_some_and(|last| last == "self") {
            path.pop();
        }
        let name = alias.or_else(|| path.last().cloned()).unwrap_or_default();
        if public {
            // A module that re-exports a name does not need it itself.
            self.exports.insert((module.clone(), name), path);
        } else {
            self.mentions.push((module.clone(), path));
        }
    }

    /// Every path of two words or more in these tokens.
    fn paths(&mut self, tokens: &[TokenTree], module: &Module) {
        let mut path: Vec<String> = Vec::new();
        let mut colons = 0;
        for token in tokens {
            match token {
                TokenTree::Punct(punct) if punct.as_char() == ':' => colons += 1,
                TokenTree::Ident(word) => {
                    if colons != 2 {
                        self.mention(module, std::mem::take(&mut path));
                    }
                    path.push(word.to_string());
                    colons = 0;
                }
                other => {
                    self.mention(module, std::mem::take(&mut path));
                    colons = 0;
                    if let TokenTree::Group(group) = other {
                        let inner: Vec<TokenTree> = group.stream().into_iter().collect();
                        self.paths(&inner, module);
                    }
                }
            }
        }
        self.mention(module, path);
    }

    fn mention(&mut self, module: &Module, path: Vec<String>) {
        if path.len() > 1 {
            self.mentions.push((module.clone(), path));
        }
    }

    /// The module that defines the path's name, seen from `from`; `None`: it is in another crate.
    fn defined_in(&self, from: &Module, path: &[String], depth: usize) -> Option<Module> {
        let (mut at, rest) = match path.first().map(String::as_str) {
            Some("crate") => (Vec::new(), &path[1..]),
            Some("self") => (from.clone(), &path[1..]),
            Some("super") => {
                let ups = path.iter().take_while(|word| *word == "super").count();
                (from[..from.len().checked_sub(ups)?].to_vec(), &path[ups..])
            }
            Some(first) => {
                let below = [&from[..], &[first.to_owned()]].concat();
                if !self.modules.contains(&below) {
                    return None;
                }
                (from.clone(), path)
            }
            None => return None,
        };
        for (n, word) in rest.iter().enumerate() {
            let below = [&at[..], std::slice::from_ref(word)].concat();
            if self.modules.contains(&below) {
                at = below;
                continue;
            }
            let exported = self.exports.get(&(at.clone(), word.clone()));
            let exported = exported.filter(|_| depth < 8).and_then(|target| {
                let whole = [&target[..], &rest[n + 1..]].concat();
                self.defined_in(&at, &whole, depth + 1)
            });
            return Some(exported.unwrap_or(at));
        }
        Some(at)
    }

    fn needs(&self) -> BTreeMap<Module, BTreeSet<Module>> {
        let mut needs: BTreeMap<Module, BTreeSet<Module>> = BTreeMap::new();
        for (module, path) in &self.mentions {
            if let Some(target) = self.defined_in(module, path, 0)
                && target != *module
            {
                needs.entry(module.clone()).or_default().insert(target);
            }
        }
        needs
    }
}

/// Each import that is part of a cycle.
fn in_circles(needs: &BTreeMap<Module, BTreeSet<Module>>) -> Vec<String> {
    let leads_to = |from: &Module, to: &Module| {
        let (mut seen, mut open) = (BTreeSet::new(), vec![from]);
        while let Some(module) = open.pop() {
            if module == to {
                return true;
            }
            if seen.insert(module) {
                open.extend(needs.get(module).into_iter().flatten());
            }
        }
        false
    };
    let shown = |module: &Module| match module.is_empty() {
        true => "the root".to_owned(),
        false => module.join("::"),
    };
    needs
        .iter()
        .flat_map(|(from, targets)| targets.iter().map(move |to| (from, to)))
        .filter(|(from, to)| leads_to(to, from))
        .map(|(from, to)| format!("{} -> {}", shown(from), shown(to)))
        .collect()
}

#[test]
fn no_crate_has_an_import_cycle() {
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    let mut circles = Vec::new();
    for crate_ in [".", "config", "core", "handler", "sandbox"] {
        let house = House::of(&root.join(crate_).join("src"));
        assert!(house.modules.len() > 5, "{crate_} has modules");
        let needs = house.needs();
        assert!(!needs.is_empty(), "the modules of {crate_} have imports");
        let found = in_circles(&needs).into_iter();
        circles.extend(found.map(|need| format!("{crate_}: {need}")));
    }
    assert!(circles.is_empty(), "{}", circles.join("\n"));
}

#[test]
fn a_cycle_behind_a_re_export_is_found() {
    let folder = tempfile::tempdir().unwrap();
    let write = |file: &str, text: &str| std::fs::write(folder.path().join(file), text).unwrap();
    let circles = || in_circles(&House::of(folder.path()).needs());
    write("lib.rs", "mod a; mod b; mod c; pub use b::B;");
    write("a.rs", "use crate::B; pub struct A(B);");
    write(
        "b.rs",
        "pub struct B; fn f() { let x = |a: u8| crate::c::go(a); }",
    );
    write("c.rs", "pub fn go(_: u8) {}");
    assert_eq!(circles(), [] as [&str; 0]);
    write(
        "c.rs",
        "pub fn go(_: u8) { let _: Option<super::a::A> = None; }",
    );
    assert_eq!(circles(), ["a -> b", "b -> c", "c -> a"]);
    write(
        "c.rs",
        "pub fn go(_: u8) {} #[cfg(test)] mod tests { use crate::a::A; }",
    );
    assert_eq!(circles(), [] as [&str; 0]);
}

/// AWS's messages quote requests, and with them secrets. One file hides those in all of them, so no other file may turn them into
/// errors.
#[test]
fn one_file_creates_all_aws_errors() {
    let source = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut folders = vec![source.clone()];
    let mut makers = BTreeSet::new();
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            let text = std::fs::read_to_string(&path).unwrap();
            let code = text.split("#[cfg(test)]").next().unwrap();
            let made = code.replace("-> AwsError {", "");
            if made.contains("AwsError {") || made.contains("AwsError::ours") {
                makers.insert(path.strip_prefix(&source).unwrap().to_owned());
            }
        }
    }
    assert_eq!(makers, BTreeSet::from([PathBuf::from("aws/error.rs")]));
}
