//! Scripts that do a sweep in parts.

use crate::error::{Error, Result};
use crate::flags::ScriptTarget;
use crate::text::quote_for_sh;
use std::path::PathBuf;

/// Seconds before its time is up at which a part is told to save.
const NOTICE: u32 = 120;
/// Parts of a script at most.
pub const MAX_SHARDS: usize = super::grid::MAX_RUNS;

/// A sweep in parts.
#[derive(Clone, Debug)]
pub struct Script {
    /// Name of the jobs.
    pub name: String,
    /// The folder that the command was given in.
    pub cwd: PathBuf,
    /// Path of this program.
    pub program: String,
    /// The command's other words, without those that are about the script.
    pub words: Vec<String>,
    /// The sweep's folder.
    pub out: PathBuf,
    /// Parts.
    pub shards: usize,
    /// Cores that each part uses, if that was said.
    pub threads: Option<u64>,
    /// What Slurm gives each part.
    pub resources: Resources,
}

/// Resources that Slurm is asked for, for each part; its own defaults where none are given.
#[derive(Clone, Debug, Default)]
pub struct Resources {
    /// Partition that the jobs are queued in.
    pub partition: Option<String>,
    /// Time of a part, in one of Slurm's forms.
    pub time: Option<String>,
    /// Bytes of memory.
    pub memory: Option<u64>,
    /// GPUs.
    pub gpus: Option<u32>,
}

impl Resources {
    /// Checks the words that are handed to Slurm.
    ///
    /// # Errors
    /// Where the partition is no name, the time none of Slurm's forms or shorter than the notice
    /// before its end, or the GPUs are none.
    pub fn check(&self) -> Result<()> {
        if let Some(name) = &self.partition
            && !is_name(name)
        {
            return Err(Error::new(format!(
                "--partition {name}: this is no name of a partition"
            ))
            .help("`sinfo` lists the partitions; several are separated by commas"));
        }
        if let Some(time) = &self.time {
            let seconds = seconds(time).ok_or_else(|| {
                Error::new(format!("--time {time}: this is no time as Slurm reads it"))
                    .help("give minutes, hours:minutes:seconds or days-hours: 90, 1:30:00, 2-12")
            })?;
            if seconds <= u64::from(NOTICE) {
                return Err(Error::new(format!(
                    "--time {time}: a part is told to save {NOTICE} seconds before its end, \
                     and would never get that far"
                ))
                .help("give at least ten minutes: --time 10"));
            }
        }
        if self.gpus == Some(0) {
            return Err(
                Error::new("--gpus-per-task 0: a part without a GPU needs no such flag")
                    .help("leave --gpus-per-task out"),
            );
        }
        Ok(())
    }

    /// Writes the directives that are about what Slurm gives a part.
    fn directives(&self) -> String {
        let partition = self.partition.as_ref();
        let memory = self.memory.map(|bytes| bytes.div_ceil(1 << 20));
        let lines = [
            partition.map(|name| format!("--partition={name}")),
            self.time.as_ref().map(|time| format!("--time={time}")),
            memory.map(|mebibytes| format!("--mem={mebibytes}M")),
            self.gpus
                .map(|gpus| format!("--ntasks=1\n#SBATCH --gpus-per-task={gpus}")),
        ];
        let lines = lines.into_iter().flatten();
        lines.map(|line| format!("#SBATCH {line}\n")).collect()
    }
}

/// Tells whether `text` is a list of names that needs no quotes.
fn is_name(text: &str) -> bool {
    let fits = |c: char| c.is_ascii_alphanumeric() || "_-.,".contains(c);
    !text.is_empty() && text.chars().all(fits)
}

/// Reads a time in Slurm's forms: `m`, `m:s`, `h:m:s`, `d-h`, `d-h:m` and `d-h:m:s`.
fn seconds(text: &str) -> Option<u64> {
    let numbers = |text: &str| {
        let parts = text.split(':').map(|part| {
            let digits = !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
            part.parse::<u32>().ok().filter(|_| digits).map(u64::from)
        });
        parts.collect::<Option<Vec<u64>>>()
    };
    let units: &[u64] = match text.split_once('-') {
        Some((days, rest)) => {
            let days = numbers(days).filter(|days| days.len() == 1)?;
            let rest = numbers(rest).filter(|rest| rest.len() <= 3)?;
            let rest = rest.iter().zip([3600, 60, 1]);
            return Some(86_400 * days[0] + rest.map(|(n, unit)| n * unit).sum::<u64>());
        }
        None => match text.matches(':').count() {
            0 => &[60],
            1 => &[60, 1],
            2 => &[3600, 60, 1],
            _ => return None,
        },
    };
    let numbers = numbers(text)?;
    Some(numbers.iter().zip(units).map(|(n, unit)| n * unit).sum())
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
        let partition = self.resources.partition.as_ref();
        let partition = partition.map_or(String::new(), |name| format!(" --partition={name}"));
        let report = format!("{} report {}", self.program(), self.out());
        format!(
            "#!/bin/sh\n\
             # Submit with sbatch. Submitted again, it does only what is missing.\n\
             #SBATCH --job-name={name}\n\
             #SBATCH --array=1-{shards}\n\
             {cores}\
             {resources}\
             # Before its time is up a part saves, and is queued again.\n\
             #SBATCH --signal=B:USR1@{NOTICE}\n\
             #SBATCH --requeue\n\
             #SBATCH --open-mode=append\n\
             \n\
             cd {cwd} || exit\n\
             \n\
             # The first part queues the report, for when all parts have ended.\n\
             report={report}\n\
             if [ \"$SLURM_ARRAY_TASK_ID\" = \"$SLURM_ARRAY_TASK_MIN\" ] &&\n    \
                 [ \"${{SLURM_RESTART_COUNT:-0}}\" = 0 ]; then\n    \
                 sbatch --job-name={name}-report{partition} \\\n        \
                     --dependency=\"afterany:$SLURM_ARRAY_JOB_ID\" --wrap \"$report\" ||\n        \
                     echo \"no report was queued; when all parts are done: $report\" >&2\n\
             fi\n\
             \n\
             {command}{threads} --shard \"$SLURM_ARRAY_TASK_ID/{shards}\" &\n\
             part=$!\n\
             again=\n\
             trap 'again=1; kill -TERM \"$part\"' USR1\n\
             trap 'kill -TERM \"$part\"' TERM\n\
             while\n    \
                 wait \"$part\"\n    \
                 code=$?\n    \
                 kill -0 \"$part\" 2>/dev/null\n\
             do :; done\n\
             if [ \"$again\" ] && [ \"$code\" -gt 128 ]; then\n    \
                 # The number of an array's last job is that of the whole array.\n    \
                 echo 'its time is up: Slurm queues it again by itself'\n    \
                 scontrol requeue \"${{SLURM_ARRAY_JOB_ID}}_$SLURM_ARRAY_TASK_ID\" && exit\n\
             fi\n\
             exit \"$code\"\n",
            name = quote_for_sh(&self.name),
            shards = self.shards,
            resources = self.resources.directives(),
            cwd = self.cwd(),
            report = quote_for_sh(&report),
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
        quote_for_sh(&self.cwd.display().to_string())
    }

    fn out(&self) -> String {
        quote_for_sh(&self.out.display().to_string())
    }

    fn program(&self) -> String {
        quote_for_sh(&self.program)
    }

    fn command(&self) -> String {
        let words: Vec<String> = self.words.iter().map(|word| quote_for_sh(word)).collect();
        format!("{} {}", self.program(), words.join(" "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read_as_slurm_reads_them() {
        for (text, wanted) in [
            ("90", Some(5400)),
            ("90:30", Some(5430)),
            ("1:30:05", Some(5405)),
            ("2-12", Some(216_000)),
            ("1-0:30", Some(88_200)),
            ("1-0:0:1", Some(86_401)),
            ("", None),
            ("2h", None),
            ("1:2:3:4", None),
            ("1-2:3:4:5", None),
            ("-1", None),
            ("1-", None),
            ("+5", None),
            ("99999999999999999999", None),
        ] {
            assert_eq!(seconds(text), wanted, "{text}");
        }
    }

    #[test]
    fn resources_that_slurm_would_refuse_are_refused() {
        let wrong = [
            Resources {
                partition: Some("gpu\n#SBATCH --exclusive".into()),
                ..Resources::default()
            },
            Resources {
                time: Some("2 hours".into()),
                ..Resources::default()
            },
            Resources {
                time: Some("2".into()),
                ..Resources::default()
            },
            Resources {
                gpus: Some(0),
                ..Resources::default()
            },
        ];
        for resources in wrong {
            assert!(resources.check().is_err(), "{resources:?}");
        }
    }
}
