//! The command as its users meet it: the real binary, real sockets, signals, pipes and a terminal.
//!
//! Every wait ends with an event; the bounds are there for what would otherwise wait for ever.

#![allow(clippy::unwrap_used, reason = "these are tests, their helpers too")]

mod activation;
mod admin;
mod client;
mod compare;
mod compare_ends;
mod compare_fanout;
mod compare_servers;
mod config;
mod config_file;
mod deploy;
mod descriptors;
mod exit_codes;
mod group;
mod handover;
mod handwritten;
mod haproxy;
mod history;
mod history_faults;
mod history_files;
mod limits;
mod load;
mod load_job;
mod load_messages;
mod load_pushes;
mod load_values;
mod log;
mod memory;
mod merge;
mod notify;
mod openmetrics;
mod operate;
mod pages;
mod process;
mod proxy_header;
mod pseudoterminal;

mod rolling_restart;
mod serve;
mod serve_page;
mod server;
mod shards;
mod stop;
mod stored;
mod terminal;
mod tls;
mod tls_client;
mod tls_load;
#[path = "../../../examples/testing/tool.rs"]
mod tool;
mod tutorial;
mod unanswered;
mod unix;
mod usage;
mod values;
