//! Completion scripts for shells, and the manual page.

use std::io::Write;

use anyhow::Result;
use clap::CommandFactory;
use clap_complete::Shell;

use crate::output::printable;

/// The command line of `completions`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  cloudtarn completions bash > cloudtarn.bash
  cloudtarn completions zsh > _cloudtarn
  cloudtarn completions fish > cloudtarn.fish")]
pub(crate) struct Completions {
    /// The shell.
    #[arg(value_enum)]
    shell: Shell,
}

pub(crate) fn completions(args: &Completions) -> Result<()> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut crate::Cli::command(), "cloudtarn", &mut script);
    std::io::stdout().write_all(&script)?;
    Ok(())
}

/// The command line of `man`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  cloudtarn man > cloudtarn.1
  cloudtarn man report > cloudtarn-report.1")]
pub(crate) struct Man {
    /// Command to describe; the program if none.
    command: Option<String>,
}

pub(crate) fn man(args: &Man) -> Result<()> {
    let mut program = crate::Cli::command();
    program.build();
    let mut page = Vec::new();
    match &args.command {
        None => clap_mangen::Man::new(program).render(&mut page)?,
        Some(name) => {
            let command = program.find_subcommand(name).cloned();
            let command = command.ok_or_else(|| anyhow::anyhow!("no command `{}`", printable(name)))?;
            clap_mangen::Man::new(command).title(format!("cloudtarn-{name}")).render(&mut page)?;
        }
    }
    std::io::stdout().write_all(&page)?;
    Ok(())
}
