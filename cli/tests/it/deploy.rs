//! The files in `deploy/`: systemd accepts its units, and what is in the image and the manifests fits the command.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;
use tempfile::{TempDir, tempdir};
use yaml_rust2::{Yaml, YamlLoader};

use crate::process::{anyloop, run};

const DOCKERFILE: &str = include_str!("../../../deploy/container/Dockerfile");
const KUBERNETES: &str = include_str!("../../../deploy/kubernetes/serve.yaml");

/// The units of the first server, with the program of this build. `None`, with a message, if systemd-analyze is missing, also in CI:
/// it is in the package `systemd`, which does more to a machine than a test should.
fn units(drop_ins: &[&str]) -> Option<TempDir> {
    if Command::new("systemd-analyze").arg("--version").output().is_err() {
        #[expect(clippy::print_stderr, reason = "a message of a test")]
        {
            eprintln!("skipped: systemd-analyze is not installed");
        }
        return None;
    }
    let from = PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../deploy/systemd"));
    let folder = tempdir().unwrap();
    fs::create_dir(folder.path().join("anyloop@1.service.d")).unwrap();
    let drop_ins = drop_ins.iter().map(|name| format!("anyloop@.service.d/{name}"));
    for name in UNITS.iter().map(ToString::to_string).chain(drop_ins) {
        let text = fs::read_to_string(from.join(&name)).unwrap();
        let text = text.replace("/usr/local/bin/anyloop", env!("CARGO_BIN_EXE_anyloop"));
        fs::write(folder.path().join(name.replace('@', "@1")), text).unwrap();
    }
    Some(folder)
}

const UNITS: [&str; 3] = ["anyloop@.service", "anyloop@.socket", "anyloop-admin@.socket"];

fn analyze(folder: &Path, arguments: &[&str]) -> (bool, String) {
    let output = Command::new("systemd-analyze").args(arguments).current_dir(folder).output().unwrap();
    let text = [output.stdout, output.stderr].concat();
    (output.status.success(), String::from_utf8(text).unwrap())
}

#[test]
fn systemd_accepts_the_units_and_finds_them_confined() {
    for drop_ins in [&[][..], &["uring.conf"], &["tls.conf"], &["tls.conf", "uring.conf"]] {
        let Some(folder) = units(drop_ins) else { return };
        let units = UNITS.map(|name| format!("./{}", name.replace('@', "@1")));
        let verify: Vec<_> = ["verify"].into_iter().chain(units.iter().map(String::as_str)).collect();
        assert_eq!(analyze(folder.path(), &verify), (true, String::new()), "{drop_ins:?}");
        // In tenths.
        let arguments = ["security", "--offline=yes", "--threshold=20", "--no-pager", &units[0]];
        let (is_confined, text) = analyze(folder.path(), &arguments);
        assert!(is_confined, "{drop_ins:?}: {text}");
    }
}

#[test]
fn the_image_runs_a_command_that_is_right_without_root() {
    let known = ["FROM", "RUN", "WORKDIR", "COPY", "USER", "EXPOSE", "STOPSIGNAL", "ENTRYPOINT", "CMD"];
    let lines: Vec<_> = DOCKERFILE
        .lines()
        .filter(|line| !line.is_empty() && !line.starts_with('#'))
        .map(|line| line.split_once(' ').unwrap())
        .collect();
    assert!(lines.iter().all(|(name, _)| known.contains(name)), "{lines:?}");
    let last = |name: &str| lines.iter().rev().find(|(found, _)| *found == name).unwrap().1;
    assert_eq!((last("FROM"), last("USER"), last("STOPSIGNAL")), ("scratch", "65532:65532", "SIGTERM"));
    let arguments: Vec<String> = serde_json::from_str(last("CMD")).unwrap();
    let arguments: Vec<_> = arguments.iter().map(String::as_str).chain(["--check"]).collect();
    assert_eq!(run(&mut anyloop(&arguments), "").code, Some(0));
    let entry: Value = serde_json::from_str(last("ENTRYPOINT")).unwrap();
    assert_eq!(entry[0], "/anyloop");
    assert!(last("COPY").ends_with(" /anyloop"));
}

/// The document of this kind.
fn document(kind: &str) -> Yaml {
    let documents = YamlLoader::load_from_str(KUBERNETES).unwrap();
    documents.into_iter().find(|document| document["kind"].as_str() == Some(kind)).unwrap()
}

/// The value of a key in the configuration of the manifests.
fn setting(configuration: &str, key: &str) -> String {
    let line = configuration.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix(" = "));
    line.unwrap_or_else(|| panic!("{key}: {configuration}")).trim_matches('"').to_owned()
}

#[test]
fn the_configuration_of_the_pods_is_right() {
    let configuration = document("ConfigMap")["data"]["server.toml"].as_str().unwrap().to_owned();
    let folder = tempdir().unwrap();
    let file = folder.path().join("server.toml");
    fs::write(&file, &configuration).unwrap();
    let deployment = document("Deployment");
    let container = &deployment["spec"]["template"]["spec"]["containers"][0];
    let arguments =
        container["args"].as_vec().unwrap().iter().map(|argument| match argument.as_str().unwrap() {
            "/etc/anyloop/server.toml" => file.to_str().unwrap(),
            argument => argument,
        });
    let arguments: Vec<_> = arguments.chain(["--check"]).collect();
    let ended = run(&mut anyloop(&arguments), "");
    assert_eq!(ended.code, Some(0), "{ended:?}");
}

#[test]
fn the_times_and_ports_of_the_pods_fit_the_configuration() {
    let configuration = document("ConfigMap")["data"]["server.toml"].as_str().unwrap().to_owned();
    let seconds = |key: &str| setting(&configuration, key).trim_end_matches('s').parse::<i64>().unwrap();
    let deployment = document("Deployment");
    let pod = &deployment["spec"]["template"]["spec"];
    let grace = pod["terminationGracePeriodSeconds"].as_i64().unwrap();
    assert!(grace >= seconds("drain-delay") + seconds("drain-timeout") + 5, "{grace}");
    let container = &pod["containers"][0];
    for (port, key) in container["ports"].as_vec().unwrap().iter().zip(["listen", "admin"]) {
        let address = setting(&configuration, key);
        assert!(
            address.ends_with(&format!(":{}", port["containerPort"].as_i64().unwrap())),
            "{key}: {address}"
        );
    }
    for probe in ["readinessProbe", "livenessProbe"] {
        assert_eq!(container[probe]["httpGet"]["port"].as_str(), Some("admin"), "{probe}");
    }
    assert_eq!(document("Service")["spec"]["ports"][0]["targetPort"].as_str(), Some("messages"));
    assert_eq!(document("Service")["spec"]["selector"], deployment["spec"]["selector"]["matchLabels"]);
    // No proxy sends a pod new clients for as long as it takes to see that it isn't ready.
    assert!(container["readinessProbe"]["periodSeconds"].as_i64().unwrap() < seconds("drain-delay"));
}
