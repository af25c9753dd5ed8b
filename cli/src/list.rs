//! `anyloop backends` and `anyloop handlers`.

use common::{Backend, BlockingHandlers, Capabilities, Workers};
use serde_json::{Value, json};

use crate::catalogue::Served;

/// The backends, as a table or as JSON.
pub(crate) fn backends(backends: &[&'static dyn Backend], as_json: bool) -> String {
    if as_json {
        let one = |(name, can): (&str, Capabilities)| {
            json!({
                "name": name,
                "model": can.model,
                "max_connections": can.max_connections,
                "workers": workers(can.workers),
                "blocking_handlers": blocking_handlers(can.blocking_handlers),
                "legacy": can.legacy,
            })
        };
        return lines_of_json(capabilities(backends).map(one).collect());
    }
    let heading = ["BACKEND", "MODEL", "THREADS", "HANDLERS THAT BLOCK RUN", "CONNECTIONS"].map(String::from);
    let rows = capabilities(backends).map(|(name, can)| {
        let most = can.max_connections.map_or("any number".into(), |most| format!("at most {most}"));
        let model = can.model.to_owned();
        [name.to_owned(), model, workers(can.workers), blocking_handlers(can.blocking_handlers).into(), most]
    });
    let mut text = table(std::iter::once(heading).chain(rows).collect());
    for (name, can) in capabilities(backends) {
        if let Some(why) = can.legacy {
            text.push_str(&format!("\n{name} is legacy: {why}\n"));
        }
    }
    text
}

/// The handlers, as a table or as JSON.
pub(crate) fn handlers(handlers: &[Served], as_json: bool) -> String {
    if as_json {
        let one = |handler: &Served| json!({ "name": handler.name, "text": handler.text });
        return lines_of_json(handlers.iter().map(one).collect());
    }
    let heading = ["HANDLER", "WHAT IT DOES"].map(String::from);
    let rows = handlers.iter().map(|handler| [handler.name, handler.text].map(String::from));
    table(std::iter::once(heading).chain(rows).collect())
}

fn capabilities(backends: &[&'static dyn Backend]) -> impl Iterator<Item = (&'static str, Capabilities)> {
    backends.iter().map(|backend| (backend.name(), backend.capabilities()))
}

fn workers(workers: Workers) -> String {
    match workers {
        Workers::Caller => "one".into(),
        Workers::PerConnection => "one for each client".into(),
        Workers::Chosen => "--workers".into(),
        Workers::Environment(variable) => format!("${variable}"),
    }
}

fn blocking_handlers(handlers: BlockingHandlers) -> &'static str {
    match handlers {
        BlockingHandlers::OwnThread => "on the client's thread",
        BlockingHandlers::OnWorker => "on the workers",
        BlockingHandlers::Offloaded => "on threads of their own: --blocking-threads",
    }
}

/// Columns as wide as their widest cell.
fn table<const COLUMNS: usize>(rows: Vec<[String; COLUMNS]>) -> String {
    let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0);
    let widths: Vec<_> = (0..COLUMNS).map(width).collect();
    let mut text = String::new();
    for row in &rows {
        let cells = row.iter().zip(&widths).map(|(cell, &width)| format!("{cell:width$}"));
        text.push_str(cells.collect::<Vec<_>>().join("  ").trim_end());
        text.push('\n');
    }
    text
}

fn lines_of_json(list: Vec<Value>) -> String {
    format!("{:#}\n", Value::Array(list))
}
