//! The manifest of the Indexed Job for `load`: read strictly, with the fields that it uses, and its arguments run.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::Value;

use crate::process::{anyloop, run};
use crate::server::Server;

const MANIFEST: &str = include_str!("../../../deploy/kubernetes/load.yaml");

// The fields of batch/v1 and core/v1 that the manifest uses, by their names and types; any other is an error.

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Job {
    api_version: String,
    kind: String,
    metadata: Metadata,
    spec: JobSpec,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Metadata {
    name: Option<String>,
    labels: BTreeMap<String, String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct JobSpec {
    completion_mode: String,
    completions: u32,
    parallelism: u32,
    backoff_limit_per_index: u32,
    active_deadline_seconds: u32,
    ttl_seconds_after_finished: u32,
    template: Template,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Template {
    metadata: Metadata,
    spec: PodSpec,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct PodSpec {
    restart_policy: String,
    automount_service_account_token: bool,
    security_context: PodSecurity,
    topology_spread_constraints: Vec<Spread>,
    containers: Vec<Container>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct PodSecurity {
    run_as_non_root: bool,
    run_as_user: u32,
    run_as_group: u32,
    seccomp_profile: Seccomp,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Seccomp {
    r#type: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Spread {
    max_skew: u32,
    topology_key: String,
    when_unsatisfiable: String,
    label_selector: Selector,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Selector {
    match_labels: BTreeMap<String, String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Container {
    name: String,
    image: String,
    args: Vec<String>,
    env: Vec<Variable>,
    resources: Resources,
    security_context: ContainerSecurity,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Variable {
    name: String,
    value: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Resources {
    requests: Amounts,
    limits: Amounts,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Amounts {
    cpu: String,
    memory: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct ContainerSecurity {
    allow_privilege_escalation: bool,
    read_only_root_filesystem: bool,
    capabilities: Capabilities,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Capabilities {
    drop: Vec<String>,
}

/// Reads the manifest. A key that is there twice is an error as well.
fn job() -> Job {
    serde_saphyr::from_str(MANIFEST).unwrap_or_else(|error| panic!("{error}"))
}

#[test]
fn it_is_an_indexed_job_without_privileges() {
    let Job { api_version, kind, metadata, spec } = job();
    assert_eq!((&*api_version, &*kind, metadata.name.as_deref()), ("batch/v1", "Job", Some("anyloop-load")));
    assert_eq!((&*spec.completion_mode, spec.parallelism), ("Indexed", spec.completions), "all run at once");
    assert_eq!(spec.backoff_limit_per_index, 0, "a second attempt would be too late");
    assert!(spec.active_deadline_seconds > 60 && spec.ttl_seconds_after_finished > 60);
    let Template { metadata, spec: pod } = spec.template;
    assert_eq!((&*pod.restart_policy, pod.automount_service_account_token), ("Never", false));
    let PodSecurity { run_as_non_root, run_as_user, run_as_group, seccomp_profile } = pod.security_context;
    assert!(run_as_non_root && run_as_user > 0 && run_as_group > 0);
    assert_eq!(seccomp_profile.r#type, "RuntimeDefault");
    let [spread] = &pod.topology_spread_constraints[..] else { panic!("there is one") };
    assert_eq!((spread.max_skew, &*spread.topology_key), (1, "kubernetes.io/hostname"));
    assert_eq!(spread.when_unsatisfiable, "ScheduleAnyway");
    assert!(
        spread
            .label_selector
            .match_labels
            .iter()
            .all(|(name, value)| metadata.labels.get(name) == Some(value))
    );
    let [container] = &pod.containers[..] else { panic!("there is one") };
    assert!(!container.name.is_empty() && container.image.starts_with("anyloop:"));
    let Container { security_context, resources, .. } = container;
    assert!(security_context.read_only_root_filesystem && !security_context.allow_privilege_escalation);
    assert_eq!(security_context.capabilities.drop, ["ALL"]);
    for Amounts { cpu, memory } in [&resources.requests, &resources.limits] {
        assert!(cpu.parse::<u32>().is_ok() && memory.ends_with("Mi"), "{cpu} and {memory}");
    }
}

#[test]
fn its_arguments_make_a_shard_for_each_pod() {
    let server = Server::start("--handler echo");
    let spec = job().spec;
    let container = &spec.template.spec.containers[0];
    assert!(container.args.contains(&format!("--shard={}", spec.completions)), "{:?}", container.args);
    // As Kubernetes replaces them.
    let run_with = |target: &str, start: Option<&str>, index: usize| {
        let replaced = |arg: &String| {
            let value = |variable: &Variable| match variable.name.as_str() {
                "TARGET" => target.to_owned(),
                _ => start.unwrap_or(&variable.value).to_owned(),
            };
            container
                .env
                .iter()
                .fold(arg.clone(), |arg, of| arg.replace(&format!("$({})", of.name), &value(of)))
        };
        // Without its long times, and without its rate, which this machine need not reach.
        let is_short =
            |arg: &&String| !["--duration", "--warmup", "--rate"].iter().any(|flag| arg.starts_with(flag));
        let args: Vec<_> = container.args.iter().filter(is_short).map(replaced).collect();
        let mut args: Vec<_> = args.iter().map(String::as_str).collect();
        args.extend(["--duration=50ms", "--warmup=0"]);
        run(anyloop(&args).env("JOB_COMPLETION_INDEX", index.to_string()), "")
    };
    let address = server.address.to_string();
    let unchanged = run_with(&address, None, 0);
    assert!(
        unchanged.code == Some(2) && unchanged.stderr.contains("1970-01-01T00:00:00Z was"),
        "{unchanged:?}"
    );
    // A busy machine may need longer to connect.
    let ended = (0..6).map(|exponent| {
        let start = crate::shards::later(std::time::Duration::from_millis(500 << exponent));
        run_with(&address, Some(&start), 2)
    });
    let ended = ended.into_iter().find(|ended| ended.code == Some(0)).expect("it connects in time");
    let measured: Value = serde_json::from_str(&ended.stdout).unwrap();
    assert_eq!((measured["shard"].as_str(), measured["connections"].as_u64()), (Some("3/3"), Some(100)));
}
