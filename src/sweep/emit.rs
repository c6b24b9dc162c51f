//! Scripts that do a sweep in parts.

use crate::flags::ScriptTarget;
use crate::text::quote;
use std::path::PathBuf;

/// Parts of a script at most.
pub const MAX_SHARDS: usize = super::grid::MAX_RUNS;

/// A sweep in parts.
#[derive(Clone, Debug)]
pub struct Script {
    /// Name of the jobs.
    pub name: String,
    /// The folder that the command was given in.
    pub cwd: PathBuf,
    /// The command, without `--shard`.
    pub command: Vec<String>,
    /// Parts.
    pub shards: usize,
    /// Cores that each part uses, if that was said.
    pub threads: Option<u64>,
}

impl Script {
    /// Writes the script's text for `target`.
    pub fn text(&self, target: ScriptTarget) -> String {
        match target {
            ScriptTarget::Slurm => self.slurm(),
            ScriptTarget::Shell => self.shell(),
        }
    }

    fn slurm(&self) -> String {
        let cores = match self.threads {
            Some(threads) => format!("#SBATCH --cpus-per-task={threads}\n"),
            None => "# Cores of a part, which `--threads` is set to:\n\
                     #SBATCH --cpus-per-task=1\n"
                .into(),
        };
        let threads = match self.threads {
            Some(_) => "",
            None => " --threads \"$SLURM_CPUS_PER_TASK\"",
        };
        format!(
            "#!/bin/sh\n\
             # Submit with sbatch. Submitted again, it does only what is missing.\n\
             #SBATCH --job-name={name}\n\
             #SBATCH --array=1-{shards}\n\
             {cores}\
             # Two minutes before its time is up a part saves and ends.\n\
             #SBATCH --signal=B:TERM@120\n\
             #SBATCH --requeue\n\
             \n\
             cd {cwd} || exit\n\
             exec {command}{threads} --shard \"$SLURM_ARRAY_TASK_ID/{shards}\"\n",
            name = quote(&self.name),
            shards = self.shards,
            cwd = self.cwd(),
            command = self.command(),
        )
    }

    fn shell(&self) -> String {
        format!(
            "#!/bin/sh\n\
             # Does part $1 of {shards}; without an argument, all of them, one after another.\n\
             # Parts may run at the same time, on machines that share the folder. Started\n\
             # again, it does only what is missing.\n\
             \n\
             cd {cwd} || exit\n\
             code=0\n\
             for part in ${{1:-$(seq {shards})}}; do\n    \
                 {command} --shard \"$part/{shards}\" || code=$?\n    \
                 [ $code -lt 128 ] || break # a signal\n\
             done\n\
             exit $code\n",
            shards = self.shards,
            cwd = self.cwd(),
            command = self.command(),
        )
    }

    fn cwd(&self) -> String {
        quote(&self.cwd.display().to_string())
    }

    fn command(&self) -> String {
        let words: Vec<String> = self.command.iter().map(|word| quote(word)).collect();
        words.join(" ")
    }
}
