//! `anyloop backends` and `anyloop handlers`.

use serde_json::{Value, json};
use serving::{Backend, BlockingHandlers, Capabilities, Workers};

use crate::arguments::Format;
use crate::catalogue::Served;
use crate::terminal;

/// The backends, as a table or as JSON.
pub(crate) fn backends(backends: &[&'static dyn Backend], format: Format) -> String {
    if format == Format::Json {
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
        [name.to_owned(), model, workers(can.workers), blocking_handlers(can.blocking_handlers), most]
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
pub(crate) fn handlers(handlers: &[Served], format: Format) -> String {
    if format == Format::Json {
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
        Workers::Runtime => "its runtime's".into(),
        other => format!("{other:?}"),
    }
}

fn blocking_handlers(handlers: BlockingHandlers) -> String {
    match handlers {
        BlockingHandlers::OwnThread => "on the client's thread".into(),
        BlockingHandlers::OnWorker => "on the workers".into(),
        BlockingHandlers::Offloaded => "on separate threads: --blocking-threads".into(),
        other => format!("{other:?}"),
    }
}

/// A table with columns as wide as their widest cell; if the terminal is narrower, the widest columns are wrapped.
pub(crate) fn table<const COLUMNS: usize>(rows: Vec<[String; COLUMNS]>) -> String {
    lay_out(rows, terminal::width())
}

fn lay_out<const COLUMNS: usize>(rows: Vec<[String; COLUMNS]>, width: Option<usize>) -> String {
    let needed = |column: usize| rows.iter().map(|row| length(&row[column])).max().unwrap_or(0);
    let mut widths: Vec<_> = (0..COLUMNS).map(needed).collect();
    if let Some(width) = width {
        narrow(&mut widths, width.saturating_sub(2 * (COLUMNS - 1)));
    }
    let mut text = String::new();
    for row in &rows {
        let cells: Vec<_> = row.iter().zip(&widths).map(|(cell, &width)| wrapped(cell, width)).collect();
        let height = cells.iter().map(Vec::len).max().unwrap_or(0);
        for line in 0..height {
            let part = |cell: &Vec<String>| cell.get(line).cloned().unwrap_or_default();
            let parts = cells.iter().zip(&widths).map(|(cell, &width)| format!("{:width$}", part(cell)));
            text.push_str(parts.collect::<Vec<_>>().join("  ").trim_end());
            text.push('\n');
        }
    }
    text
}

/// Makes the widest columns narrower until all fit into `room` or have the minimum width.
fn narrow(widths: &mut [usize], room: usize) {
    while widths.iter().sum::<usize>() > room {
        match widths.iter_mut().max() {
            Some(widest) if *widest > NARROWEST => *widest -= 1,
            _ => return,
        }
    }
}

/// The words of a cell, in lines of this width.
fn wrapped(cell: &str, width: usize) -> Vec<String> {
    let mut lines = vec![String::new()];
    for word in cell.split(' ') {
        let line =
            lines.last_mut().filter(|line| line.is_empty() || length(line) + 1 + length(word) <= width);
        match line {
            Some(line) if line.is_empty() => line.push_str(word),
            Some(line) => {
                line.push(' ');
                line.push_str(word);
            }
            None => lines.push(word.to_owned()),
        }
    }
    lines
}

fn length(text: &str) -> usize {
    text.chars().count()
}

pub(crate) fn lines_of_json(list: Vec<Value>) -> String {
    format!("{:#}\n", Value::Array(list))
}

/// The minimum width of a column that is wrapped.
const NARROWEST: usize = 16;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_is_as_wide_as_the_terminal() {
        let rows = || {
            vec![
                ["NAME", "WHAT IT DOES"].map(String::from),
                ["a", "it says many words that need room"].map(String::from),
            ]
        };
        let wide = lay_out(rows(), None);
        assert_eq!(wide, "NAME  WHAT IT DOES\na     it says many words that need room\n");
        assert_eq!(lay_out(rows(), Some(80)), wide);
        let narrow = lay_out(rows(), Some(26));
        assert_eq!(narrow, "NAME  WHAT IT DOES\na     it says many words\n      that need room\n");
        let narrowest = lay_out(rows(), Some(1));
        assert!(narrowest.lines().all(|line| length(line) <= 4 + 2 + NARROWEST), "{narrowest}");
    }
}
