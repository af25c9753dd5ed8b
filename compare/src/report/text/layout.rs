//! Tables as lines of text.

use unicode_width::UnicodeWidthStr;

use super::{NARROWEST, Style, clean, cut, pad, paint, wrap};
use crate::report::contents::{Cell, Row, Table, Tone};

/// Between two columns.
const GAP: &str = "  ";

/// The minimum width of the names.
const NAMES: usize = 8;

/// The lines of a table, in as many blocks as the width requires.
pub(super) fn lay_out(table: &Table, style: Style) -> Vec<String> {
    let style = Style { width: style.width.max(NARROWEST), ..style };
    let filled: Vec<usize> = (0..table.columns.len()).filter(|&column| table.is_filled(column)).collect();
    let blocks = |with_evidence| -> Vec<Block> {
        filled.iter().map(|&column| Block::of(table, column, with_evidence, style)).collect()
    };
    // With the evidence if everything fits, without it otherwise.
    let (full, short) = (blocks(true), blocks(false));
    let widest = short.iter().map(|block| block.width).max().unwrap_or(0);
    let names = Names::of(table, style.width.saturating_sub(GAP.len() + widest).max(NAMES), style);
    let width =
        |blocks: &[Block]| names.width + blocks.iter().map(|block| GAP.len() + block.width).sum::<usize>();
    let columns = if width(&full) <= style.width { full } else { short };
    let mut lines = Vec::new();
    let mut rest = &columns[..];
    loop {
        let mut count = rest.len();
        while count > 1 && width(&rest[..count]) > style.width {
            count -= 1;
        }
        let (now, later) = rest.split_at(count);
        names.write(&mut lines, table, now, style);
        rest = later;
        if rest.is_empty() {
            return lines;
        }
        lines.push(String::new());
    }
}

/// The first column.
struct Names {
    texts: Vec<String>,
    width: usize,
}

impl Names {
    fn of(table: &Table, most: usize, style: Style) -> Self {
        let name = |row: &Row| match row {
            Row::Group(_) => String::new(),
            Row::NoFigures { name, .. } => clean(name, style),
            Row::Figures { name, remark, .. } if remark.is_empty() => clean(name, style),
            Row::Figures { name, remark, .. } => clean(&format!("{name} ({remark})"), style),
        };
        let texts: Vec<String> = table.rows.iter().map(name).collect();
        let widest = texts.iter().map(|text| text.width()).max().unwrap_or(0);
        Self { texts, width: widest.min(most) }
    }

    /// Adds the lines of a block of columns.
    fn write(&self, lines: &mut Vec<String>, table: &Table, columns: &[Block], style: Style) {
        for line in 0..2 {
            let mut text = " ".repeat(self.width);
            for column in columns {
                text += GAP;
                text += &pad(&column.heading[line], column.width);
            }
            if !text.trim().is_empty() {
                lines.push(paint(text.trim_end(), if line == 0 { "1" } else { "2" }, style));
            }
        }
        for (index, row) in table.rows.iter().enumerate() {
            let name = pad(&cut(&self.texts[index], self.width), self.width);
            match row {
                Row::Group(title) => lines.push(paint(&cut(&clean(title, style), style.width), "2", style)),
                Row::NoFigures { what, why, is_failure, .. } => {
                    let said = format!("{name}{GAP}{what}: {why}");
                    lines.extend(wrap(&said, if *is_failure { "31" } else { "2" }, style));
                }
                Row::Figures { .. } => {
                    let mut text = name;
                    for column in columns {
                        text += GAP;
                        text += &column.cells[index];
                    }
                    lines.push(text.trim_end().to_owned());
                }
            }
        }
    }
}

/// A column as text.
struct Block {
    heading: [String; 2],
    /// One for each row of the table, padded and coloured.
    cells: Vec<String>,
    width: usize,
}

impl Block {
    fn of(table: &Table, column: usize, with_evidence: bool, style: Style) -> Self {
        let heading = &table.columns[column];
        let most = style.width - GAP.len() - NAMES;
        let heading = [&heading.heading, &heading.under].map(|text| cut(&clean(text, style), most));
        let cell = |row: &Row| match row {
            Row::Figures { cells, .. } => cells.get(column).cloned().unwrap_or_default(),
            Row::Group(_) | Row::NoFigures { .. } => Cell::default(),
        };
        let cells: Vec<Cell> = table.rows.iter().map(cell).collect();
        let figure = |cell: &Cell| {
            let mark = if cell.is_best { "*" } else { " " };
            clean(&format!("{}{mark}", if cell.figure.is_empty() { "-" } else { &cell.figure }), style)
        };
        let said = |cell: &Cell| {
            let evidence = if with_evidence { cell.evidence.as_str() } else { "" };
            clean(format!("{} {evidence}", cell.word).trim(), style)
        };
        let widest =
            |text: &dyn Fn(&Cell) -> String| cells.iter().map(|of| text(of).width()).max().unwrap_or(0);
        let (left, right) = (widest(&figure), widest(&said));
        let own = left + if right > 0 { 1 + right } else { 0 };
        let width = own.max(heading[0].width()).max(heading[1].width());
        let write = |cell: &Cell| {
            let (figure, said) = (figure(cell), said(cell));
            let lead = " ".repeat(left.saturating_sub(figure.width()));
            let figure = if cell.is_best { paint(&figure, "1", style) } else { figure };
            let color = match cell.tone {
                Tone::Good => "32",
                Tone::Bad => "31",
                Tone::Faint => "2",
                Tone::Plain => "",
            };
            let trail = " ".repeat(width.saturating_sub(left + 1 + said.width()));
            format!("{lead}{figure} {}{trail}", paint(&said, color, style))
        };
        Self { heading, cells: cells.iter().map(write).collect(), width }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::contents::Column;

    const PLAIN: Style = Style { color: false, unicode: false, width: 40, details: false };

    fn table() -> Table {
        let cell = |figure: &str, word: &str| Cell {
            figure: figure.to_owned(),
            word: word.to_owned(),
            evidence: "0.72×".to_owned(),
            ..Cell::default()
        };
        let row = |name: &str| Row::Figures {
            subject: 0,
            name: name.to_owned(),
            remark: String::new(),
            cells: vec![cell("9.8\u{a0}µs", "better"), Cell::default(), cell("1.2\u{a0}ms", "same")],
        };
        let column = |heading: &str| Column { heading: heading.to_owned(), ..Column::default() };
        let mut columns = vec![column("CPU"), column("rate"), column("p99")];
        columns[1].absent = Some("not measured: --slo".to_owned());
        Table { columns, rows: vec![row("a"), row("日本")], ..Table::default() }
    }

    #[test]
    fn columns_are_aligned() {
        let lines = lay_out(&table(), Style { width: 60, unicode: true, ..PLAIN });
        assert_eq!(
            lines,
            [
                "      CPU                   p99",
                "a     9.8\u{a0}µs  better 0.72×  1.2\u{a0}ms  same 0.72×",
                "日本  9.8\u{a0}µs  better 0.72×  1.2\u{a0}ms  same 0.72×",
            ]
        );
    }

    #[test]
    fn columns_that_do_not_fit_lose_the_evidence_and_then_move_to_a_further_block() {
        let lines = lay_out(&table(), PLAIN);
        assert_eq!(lines[1], "a   9.8 us  better  1.2 ms  same");
        let mut table = table();
        table.columns[2].heading = "the tail of the latencies".to_owned();
        let lines = lay_out(&table, PLAIN);
        assert_eq!(
            lines,
            [
                "    CPU",
                "a   9.8 us  better",
                "??  9.8 us  better",
                "",
                "    the tail of the latencies",
                "a   1.2 ms  same",
                "??  1.2 ms  same",
            ]
        );
    }
}
