//! Checks the allowed dependencies between packages against `cargo metadata`.

use std::collections::BTreeSet;
use std::process::Command;

use cargo_metadata::{DependencyKind, Metadata, MetadataCommand, Package};

/// The runtimes: each is a dependency of one backend only, and of the handwritten servers. The load generator uses a
/// poller as well, and the examples are a program on tokio and a backend on compio.
const RUNTIMES: [(&str, &[&str]); 10] = [
    ("async-io", &["anyloop-backend-async-std"]),
    ("async-std", &["anyloop-backend-async-std", "anyloop-handwritten"]),
    ("compio", &["anyloop-example-backend-compio"]),
    ("io-uring", &["anyloop-backend-uring", "anyloop-example-learn", "anyloop-handwritten"]),
    ("polling", &["anyloop-backend-pool", "anyloop-load"]),
    ("rayon", &["anyloop-backend-pool", "anyloop-handwritten"]),
    // The guides of `anyloop-example-shout` have an executor, and so has the solution of an exercise.
    (
        "smol",
        &["anyloop-backend-smol", "anyloop-example-learn", "anyloop-example-shout", "anyloop-handwritten"],
    ),
    (
        "tokio",
        &["anyloop-backend-tokio", "anyloop-example-embed", "anyloop-example-learn", "anyloop-handwritten"],
    ),
    ("tokio-rustls", &["anyloop-handwritten"]),
    ("tokio-util", &["anyloop-handwritten"]),
];

/// The members on which a package may depend, except for its tests.
fn allowed(package: &str, members: &BTreeSet<String>) -> BTreeSet<String> {
    let backends = || members.iter().filter(|name| name.starts_with("anyloop-backend-")).map(String::as_str);
    let allowed: Vec<&str> = match package {
        "anyloop-common" | "anyloop-fault-proxy" | "anyloop-handwritten" | "anyloop-history" => vec![],
        "anyloop-handlers" | "anyloop-serving" => vec!["anyloop-common"],
        "anyloop-load" => vec!["anyloop-common", "anyloop-history"],
        "anyloop-tls" => vec!["anyloop-common"],
        "anyloop-conformance" | "anyloop-exchange-redis" | "anyloop-proxy-header" | "anyloop-simulation" => {
            vec!["anyloop-common", "anyloop-serving"]
        }
        "anyloop-admin" => vec!["anyloop-backend-threads", "anyloop-common", "anyloop-serving"],
        "anyloop-compare" => vec!["anyloop-load"],
        "anyloop-registry" => backends().chain(["anyloop-serving"]).collect(),
        "anyloop" => {
            let others = ["anyloop-admin", "anyloop-common", "anyloop-handlers", "anyloop-serving"];
            backends().chain(others).collect()
        }
        "anyloop-benches" => {
            vec!["anyloop-common", "anyloop-handlers", "anyloop-load", "anyloop-registry", "anyloop-serving"]
        }
        "anyloop-cli" => {
            let contract =
                ["anyloop", "anyloop-admin", "anyloop-common", "anyloop-handlers", "anyloop-serving"];
            let tools = ["anyloop-compare", "anyloop-handwritten", "anyloop-history", "anyloop-load"];
            let below = ["anyloop-proxy-header", "anyloop-registry", "anyloop-tls"];
            contract.into_iter().chain(tools).chain(below).collect()
        }
        "anyloop-fuzz" => {
            let examples = ["anyloop-example-http", "anyloop-example-key-value", "anyloop-example-shout"];
            ["anyloop", "anyloop-cli", "anyloop-proxy-header"].into_iter().chain(examples).collect()
        }
        "anyloop-example-learn" => vec!["anyloop", "anyloop-cli", "anyloop-example-backend"],
        "anyloop-example-chat" => vec!["anyloop", "anyloop-cli", "anyloop-exchange-redis"],
        example if example.starts_with("anyloop-example-") => vec!["anyloop", "anyloop-cli"],
        backend if backend.starts_with("anyloop-backend-") => vec!["anyloop-common", "anyloop-serving"],
        other => panic!("there is no rule for {other}: add one here, and to ARCHITECTURE.md"),
    };
    allowed.into_iter().map(String::from).collect()
}

fn metadata() -> Metadata {
    MetadataCommand::new().no_deps().exec().expect("the metadata of the workspace")
}

/// The names of a package's dependencies: dev-dependencies, or all others.
fn dependencies(package: &Package, for_tests: bool) -> BTreeSet<String> {
    let wanted = |kind| (kind == DependencyKind::Development) == for_tests;
    let dependencies = package.dependencies.iter().filter(|dependency| wanted(dependency.kind));
    dependencies.map(|dependency| dependency.name.clone()).collect()
}

#[test]
fn members_have_only_allowed_dependencies() {
    let metadata = metadata();
    let packages = metadata.workspace_packages();
    let members: BTreeSet<String> = packages.iter().map(|package| package.name.to_string()).collect();
    for package in packages {
        let used: BTreeSet<_> = dependencies(package, false).intersection(&members).cloned().collect();
        let excess: Vec<_> = used.difference(&allowed(&package.name, &members)).cloned().collect();
        assert!(excess.is_empty(), "{} may not depend on {excess:?}", package.name);
    }
}

#[test]
fn tests_of_backends_use_conformance_and_no_other_backend() {
    let metadata = metadata();
    for package in metadata.workspace_packages() {
        let used = dependencies(package, true);
        let backends: Vec<_> = used.iter().filter(|name| name.starts_with("anyloop-backend-")).collect();
        assert!(backends.is_empty(), "{} tests itself with {backends:?}", package.name);
        if package.name.starts_with("anyloop-backend-") {
            assert!(used.contains("anyloop-conformance"), "{} does not run the kit", package.name);
        }
    }
}

#[test]
fn a_runtime_is_a_dependency_of_one_backend_only() {
    for package in metadata().workspace_packages() {
        for (runtime, users) in RUNTIMES {
            let used = dependencies(package, false).contains(runtime)
                || dependencies(package, true).contains(runtime);
            assert!(
                !used || users.contains(&package.name.as_str()),
                "{} may not use {runtime}",
                package.name
            );
        }
    }
}

#[test]
fn only_the_library_has_features() {
    for package in metadata().workspace_packages().into_iter().filter(|package| package.name != "anyloop") {
        let allowed: &[&str] = match package.name.as_str() {
            "anyloop-serving" => &["serde"],
            "anyloop-cli" | "anyloop-handwritten" | "anyloop-registry" => &["async-std", "default"],
            _ => &[],
        };
        let features: Vec<_> = package.features.keys().map(String::as_str).collect();
        assert_eq!(features, allowed, "the features of {}", package.name);
    }
}

#[test]
fn publishable_packages_have_metadata() {
    let metadata = metadata();
    let mut described = BTreeSet::new();
    for package in metadata.workspace_packages() {
        let name = package.name.as_str();
        let for_the_workspace = ["anyloop-benches", "anyloop-fuzz", "anyloop-simulation"].contains(&name)
            || name.starts_with("anyloop-example-");
        assert_eq!(package.publish.as_ref().is_some_and(Vec::is_empty), for_the_workspace, "{name}");
        let description = package.description.as_deref().expect("a description");
        assert!(
            described.insert(description),
            "{name} has the description of another package: {description}"
        );
        if !for_the_workspace {
            let folder = package.manifest_path.parent().expect("a folder");
            let license = std::fs::read_to_string(folder.join("LICENSE"));
            assert!(license.is_ok_and(|text| text.contains("MIT")), "{name} has no link to LICENSE");
            assert!(package.readme.is_some() && !package.keywords.is_empty(), "{name} has no metadata");
        }
        // The examples of a crate use `anyloop`, which is published after it.
        for dependency in package.dependencies.iter().filter(|dependency| dependency.path.is_some()) {
            let leads_back = dependency.name == "anyloop" && dependency.kind == DependencyKind::Development;
            assert_eq!(dependency.req.comparators.is_empty(), leads_back, "{name} on {}", dependency.name);
        }
    }
}

/// async-std is discontinued, so that whoever depends on it has to explain that in an audit.
#[test]
fn async_std_is_compiled_only_on_request() {
    for (asked, compiled) in [
        ("--package anyloop --no-default-features", false),
        (
            "--package anyloop --features admin,epoll,handlers,pool,sequential,serde,smol,threads,tokio,uring",
            false,
        ),
        ("--package anyloop --features async-std", true),
        ("--package anyloop-cli --no-default-features", false),
        ("--package anyloop-cli", true),
    ] {
        let mut cargo = Command::new(env!("CARGO"));
        cargo.args("tree --locked --edges normal,build --prefix none".split(' '));
        let output = cargo.args(asked.split(' ')).output().expect("cargo runs");
        let (tree, errors) =
            (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        assert!(output.status.success() && tree.starts_with("anyloop"), "cargo tree {asked}: {errors}");
        assert_eq!(tree.lines().any(|line| line.starts_with("async-std v")), compiled, "{asked}:\n{tree}");
    }
}

#[test]
fn every_backend_is_registered_under_its_name() {
    let metadata = metadata();
    let packages = metadata.workspace_packages();
    let members = packages.iter().filter_map(|package| package.name.strip_prefix("anyloop-backend-"));
    let registered: BTreeSet<_> = anyloop_registry::BACKENDS.iter().map(|backend| backend.name()).collect();
    assert_eq!(members.collect::<BTreeSet<_>>(), registered);
    assert_eq!(registered.len(), anyloop_registry::BACKENDS.len(), "two backends have one name");
    assert!(anyloop_registry::find("smol").is_some_and(|backend| backend.name() == "smol"));
    assert!(anyloop_registry::find("loop").is_none());
}

#[test]
fn linux_only_dependencies_are_conditional() {
    for package in metadata().packages {
        for dependency in package.dependencies.iter().filter(|dependency| dependency.name == "io-uring") {
            let target = dependency.target.as_ref().map(ToString::to_string);
            assert!(target.is_some_and(|target| target.contains("linux")), "{}", package.name);
        }
    }
}
