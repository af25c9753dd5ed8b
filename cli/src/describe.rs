//! `anyloop completions` and `anyloop man`: shell completions and manual pages.

use clap::Command;
use clap_complete::Shell;

use crate::failure::Failure;

/// The script that completes the command line in a shell.
pub(crate) fn completions(mut about: Command, shell: Shell) -> Vec<u8> {
    let mut script = Vec::new();
    let name = about.get_name().to_owned();
    clap_complete::generate(shell, &mut about, name, &mut script);
    script
}

/// The manual page of one command, or of all.
pub(crate) fn manual(mut about: Command, command: Option<&str>) -> Result<Vec<u8>, Failure> {
    about.build();
    if let Some(name) = command {
        let unknown = || Failure::Usage(format!("there is no command `{name}`; `help` lists them"));
        about = about.find_subcommand(name).cloned().ok_or_else(unknown)?;
    }
    let mut page = Vec::new();
    let written = clap_mangen::Man::new(about).render(&mut page);
    written.map_err(|error| Failure::Failed(format!("the page can't be written: {error}")))?;
    Ok(page)
}
