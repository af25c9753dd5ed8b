//! What is told of a column as a whole.

use crate::report::reasons::of_column;
use crate::statistics::{Cell, Column, Estimate, Told, Why};

/// What is told of a column as a whole.
pub(super) enum Standing {
    /// These are best, the leader first; several can't be told from each other.
    Best(Vec<usize>),
    /// Nobody can be told from the leader.
    Equal,
    /// Nothing is told, for this reason.
    Open(Option<Why>),
}

pub(super) fn standing(column: &Column) -> Standing {
    let why = of_column(column);
    let Some(leader) = column.leader else { return Standing::Open(why) };
    let rivals = measured(column).filter(|(cell, _)| cell.subject != leader).count();
    let is_told = |cell: &Cell| !matches!(cell.told, Told::NotTold(_) | Told::Reference);
    if rivals > 0 && !column.cells.iter().any(is_told) {
        return Standing::Open(why);
    }
    if rivals > 0 && column.equals.len() >= rivals {
        return Standing::Equal;
    }
    Standing::Best(std::iter::once(leader).chain(column.equals.iter().copied()).collect())
}

/// The cells that have a figure.
pub(super) fn measured(column: &Column) -> impl Iterator<Item = (&Cell, &Estimate)> {
    column.cells.iter().filter_map(|cell| Some((cell, cell.level.as_ref()?)))
}

/// A subject's cell.
pub(super) fn cell(column: &Column, subject: usize) -> Option<&Cell> {
    column.cells.iter().find(|cell| cell.subject == subject)
}

/// Who has the best figure: the leader, or the best median where there is none.
pub(super) fn leading(column: &Column) -> Option<(usize, &Estimate)> {
    let worth = |level: &Estimate| if column.figure.more_is_better() { -level.median } else { level.median };
    let best = measured(column).min_by(|one, other| worth(one.1).total_cmp(&worth(other.1)));
    let leader = column.leader.and_then(|leader| measured(column).find(|(cell, _)| cell.subject == leader));
    leader.or(best).map(|(cell, level)| (cell.subject, level))
}
