//! The arguments of `serve` about metrics and health checks.

use std::time::Duration;

use clap::Args;

use crate::address::Target;
use crate::quantity::Time;

/// The arguments of `serve` about metrics and health checks.
#[derive(Args)]
#[group(skip)]
pub(crate) struct Admin {
    /// Address for metrics and health checks over HTTP, at /metrics, /healthz and /readyz
    #[arg(long = "admin", env, help_heading = HEADING, value_name = "HOST:PORT|unix:PATH")]
    pub(crate) address: Option<Target>,

    /// Time from the signal to stop to the drain: meanwhile /readyz says 503, and clients are still accepted
    #[arg(long, env, help_heading = HEADING, value_name = "TIME", default_value_t = Time(Duration::ZERO))]
    pub(crate) drain_delay: Time,
}

/// The heading of the help.
const HEADING: &str = "Metrics and health";
