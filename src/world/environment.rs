//! The place of this process in a distributed run, as a launcher (`torchrun`, Slurm's `srun`,
//! a shell) sets it in the environment.

use super::host;
use super::secret::Secret;
use crate::error::{Error, Result};

/// The place of this process among the processes that train one network together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct World {
    /// Number of this process, from 0.
    pub rank: usize,
    /// Number of processes, 2 or more.
    pub size: usize,
    /// Number of this process on its host, from 0; it uses the GPU of that number.
    pub local: usize,
    /// Host of rank 0.
    pub address: String,
    /// Port that rank 0 listens at.
    pub port: u16,
    /// Secret that all processes share.
    pub secret: Secret,
}

/// Most processes of a world.
const MOST: usize = 65_536;

/// Advice for a process that should run alone but finds itself in a world.
const ALONE: &str = "set WORLD_SIZE=1 and RANK=0 to train in this process alone";

/// Environment variable that is `True` if `torchrun` itself listens at `MASTER_PORT`.
const TAKEN: &str = "TORCHELASTIC_USE_AGENT_STORE";

impl World {
    /// Reads the environment. None if this process is the only one.
    ///
    /// # Errors
    ///
    /// When variables are missing, contradict each other or are no numbers.
    pub fn from_environment() -> Result<Option<World>> {
        World::read(&|name| {
            let value = std::env::var_os(name)?.to_string_lossy().trim().to_string();
            (!value.is_empty()).then_some(value)
        })
    }

    /// Reads the world from the variables that `variable` looks up; see
    /// [`World::from_environment`].
    fn read(variable: &dyn Fn(&str) -> Option<String>) -> Result<Option<World>> {
        // Batch scripts and shells of Slurm have its counts too, but are one process.
        let in_step = variable("SLURM_STEP_ID").is_some();
        let first = |names: &[&'static str]| {
            let mut names = names
                .iter()
                .filter(|name| in_step || !name.starts_with("SLURM_"));
            names.find_map(|&name| Some((name, variable(name)?)))
        };
        let number = |names: &[&'static str]| first(names).map(|found| number(&found)).transpose();
        let rank = number(&["RANK", "SLURM_PROCID"])?;
        let size = number(&["WORLD_SIZE", "SLURM_STEP_NUM_TASKS", "SLURM_NTASKS"])?;
        let (rank, size) = match (rank, size) {
            (None, None) | (None, Some((_, 1))) => return Ok(None),
            (Some(rank), Some(size)) => (rank, size),
            (Some((name, _)), None) => return Err(missing(name, "WORLD_SIZE")),
            (None, Some((name, _))) => return Err(missing(name, "RANK")),
        };
        let ((rank_name, rank), (size_name, size)) = (rank, size);
        if rank >= size {
            return Err(Error::new(format!(
                "{rank_name} is {rank} and {size_name} is {size}: ranks are counted from 0"
            ))
            .help(ALONE));
        }
        if size == 1 {
            return Ok(None);
        }
        if size > MOST {
            return Err(Error::new(format!(
                "{size_name} is {size}, and a world has {MOST} processes at most"
            ))
            .help(ALONE));
        }
        let Some((name, local)) = number(&["LOCAL_RANK", "SLURM_LOCALID"])? else {
            return Err(missing(size_name, "LOCAL_RANK"));
        };
        if local >= size {
            return Err(Error::new(format!(
                "{name} is {local} and {size_name} is {size}: more on this host than in all"
            ))
            .help(ALONE));
        }
        let nodes = first(&["SLURM_STEP_NODELIST", "SLURM_JOB_NODELIST"]);
        let nodes = nodes.and_then(|(_, list)| first_host(&list));
        let Some(address) = variable("MASTER_ADDR").or(nodes) else {
            return Err(missing(size_name, "MASTER_ADDR"));
        };
        host::check(&address)?;
        // Where all are on one host, nobody else need reach them.
        let here = number(&["LOCAL_WORLD_SIZE"])?.is_some_and(|(_, here)| here == size);
        let nodes = number(&["SLURM_STEP_NUM_NODES"])?;
        let address = match here || nodes.is_some_and(|(_, nodes)| nodes == 1) {
            true => "127.0.0.1".to_string(),
            false => address,
        };
        let port = match number(&["MASTER_PORT"])? {
            Some((name, port)) => u16::try_from(port)
                .ok()
                .filter(|&port| port > 0)
                .ok_or_else(|| {
                    Error::new(format!("{name} is {port}: there is no such port"))
                        .help("ports are 1 to 65535; give one that is free on rank 0's host")
                })?,
            None => match number(&["SLURM_JOB_ID"])? {
                Some((_, job)) => {
                    let step = number(&["SLURM_STEP_ID"]).ok().flatten();
                    port_of(job, step.map_or(0, |(_, step)| step))
                }
                None => return Err(missing(size_name, "MASTER_PORT")),
            },
        };
        // Its neighbour is the same for all of them, and most likely free.
        let port = match variable(TAKEN).as_deref() {
            Some("True") => port.checked_add(1).unwrap_or(port - 1),
            Some(_) | None => port,
        };
        Ok(Some(World {
            rank,
            size,
            local,
            address,
            port,
            secret: Secret::read(variable)?,
        }))
    }

    /// Largest number of images that one process has of a batch.
    pub fn part(&self, batch: usize) -> usize {
        batch.div_ceil(self.size)
    }

    /// Prefixes the message of `error` with the rank of this process.
    pub fn with_rank(&self, error: Error) -> Error {
        Error {
            message: format!("{}: {}", self.name(), error.message),
            help: error.help,
        }
    }

    /// Name of this process for messages: `rank 1 of 4`.
    pub fn name(&self) -> String {
        format!("rank {} of {}", self.rank, self.size)
    }
}

fn number((name, value): &(&'static str, String)) -> Result<(&'static str, usize)> {
    let number = value.parse().map_err(|_| {
        Error::new(format!("{name} is `{value}`, which is no whole number")).help(ALONE)
    })?;
    Ok((*name, number))
}

fn missing(there: &str, missing: &str) -> Error {
    Error::new(format!("{there} is set, but {missing} is not")).help(format!(
        "torchrun and srun set RANK, WORLD_SIZE, LOCAL_RANK, MASTER_ADDR and MASTER_PORT, or \
         what stands for them; where they are set by hand, set all; {ALONE}"
    ))
}

/// A port that all processes of a job step compute alike, below those that systems give out.
fn port_of(job: usize, step: usize) -> u16 {
    let mixed = job.wrapping_mul(16).wrapping_add(step) % 10_000;
    20_000 + mixed as u16
}

/// First host of Slurm's list: `node07` of `node[07-09,12],other`.
fn first_host(list: &str) -> Option<String> {
    let end = list.find([',', '[']).unwrap_or(list.len());
    let (head, rest) = list.split_at(end);
    let host = match rest.strip_prefix('[') {
        Some(numbers) => {
            let (number, _) = numbers.split_once([',', '-', ']'])?;
            let (_, rest) = numbers.split_once(']')?;
            let tail = rest.split([',', '[']).next().unwrap_or_default();
            format!("{head}{number}{tail}")
        }
        None => head.to_string(),
    };
    (!host.is_empty()).then_some(host)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Option<World>> {
        let pairs: Vec<(&str, &str)> = text
            .split_whitespace()
            .filter_map(|pair| pair.split_once('='))
            .collect();
        World::read(&|name| {
            let found = pairs.iter().find(|(key, _)| *key == name);
            found.map(|(_, value)| value.to_string())
        })
    }

    fn error(text: &str) -> String {
        read(text).unwrap_err().message
    }

    const TORCHRUN: &str = "RANK=3 WORLD_SIZE=4 LOCAL_RANK=1 MASTER_ADDR=host MASTER_PORT=29500";

    #[test]
    fn torchrun_and_shells_say_it_all() {
        let world = read(TORCHRUN).unwrap().unwrap();
        assert_eq!((world.rank, world.size, world.local), (3, 4, 1));
        assert_eq!((world.address.as_str(), world.port), ("host", 29500));
        assert_eq!(world.name(), "rank 3 of 4");
        assert_eq!(world.part(10), 3);
        // Where it listens at the port itself.
        let shared = format!("{TORCHRUN} TORCHELASTIC_USE_AGENT_STORE=True");
        assert_eq!(read(&shared).unwrap().unwrap().port, 29501);
        let alone = format!("{TORCHRUN} LOCAL_WORLD_SIZE=4");
        assert_eq!(read(&alone).unwrap().unwrap().address, "127.0.0.1");
        let two = format!("{TORCHRUN} LOCAL_WORLD_SIZE=2");
        assert_eq!(read(&two).unwrap().unwrap().address, "host");
        let own = format!("{TORCHRUN} TORCHELASTIC_USE_AGENT_STORE=False");
        assert_eq!(read(&own).unwrap().unwrap().port, 29500);
    }

    #[test]
    fn alone_is_no_world() {
        for text in [
            "",
            "MASTER_ADDR=host MASTER_PORT=x LOCAL_RANK=7",
            "WORLD_SIZE=1",
            "WORLD_SIZE=1 RANK=0",
            // A batch script, and a step of one task.
            "SLURM_PROCID=0 SLURM_NTASKS=4 SLURM_LOCALID=0",
            "SLURM_STEP_ID=0 SLURM_PROCID=0 SLURM_NTASKS=4 SLURM_STEP_NUM_TASKS=1",
            // A process that is to be alone in a step of many.
            "SLURM_STEP_ID=0 SLURM_PROCID=3 SLURM_NTASKS=4 RANK=0 WORLD_SIZE=1",
        ] {
            assert_eq!(read(text).unwrap(), None, "{text}");
        }
    }

    #[test]
    fn slurm_says_it_in_its_own_words() {
        let step = "SLURM_STEP_ID=2 SLURM_PROCID=5 SLURM_NTASKS=8 SLURM_LOCALID=1 \
                    SLURM_JOB_ID=123456 SLURM_STEP_NODELIST=gpu[07-09,12]";
        let world = read(step).unwrap().unwrap();
        assert_eq!((world.rank, world.size, world.local), (5, 8, 1));
        assert_eq!(world.address, "gpu07");
        assert_eq!(world.port, 20_000 + ((123_456 * 16 + 2) % 10_000) as u16);
        let alone = format!("{step} SLURM_STEP_NUM_NODES=1");
        assert_eq!(read(&alone).unwrap().unwrap().address, "127.0.0.1");
        let named = format!("{step} MASTER_ADDR=10.0.0.1 MASTER_PORT=4000");
        let world = read(&named).unwrap().unwrap();
        assert_eq!((world.address.as_str(), world.port), ("10.0.0.1", 4000));
        for (list, host) in [
            ("a", "a"),
            ("a,b", "a"),
            ("n[1-3]", "n1"),
            ("n[004,7]-x,m", "n004-x"),
            ("r1n[2],z", "r1n2"),
        ] {
            assert_eq!(first_host(list).as_deref(), Some(host));
        }
        assert_eq!(first_host("n[3"), None);
        assert_eq!(first_host(""), None);
    }

    #[test]
    fn what_is_half_set_or_contradicts_itself_is_named() {
        assert!(error("RANK=0").contains("WORLD_SIZE is not"));
        assert!(error("WORLD_SIZE=2").contains("RANK is not"));
        for name in ["LOCAL_RANK", "MASTER_ADDR", "MASTER_PORT"] {
            let without = TORCHRUN.replace(&format!("{name}="), "OTHER=");
            assert!(
                error(&without).contains(&format!("{name} is not")),
                "{name}"
            );
        }
        assert!(error(&TORCHRUN.replace("RANK=3 ", "RANK=4 ")).contains("RANK is 4"));
        assert!(error("RANK=0 WORLD_SIZE=0").contains("WORLD_SIZE is 0"));
        assert!(error(&TORCHRUN.replace("L_RANK=1", "L_RANK=4")).contains("LOCAL_RANK is 4"));
        let many = TORCHRUN.replace("SIZE=4", "SIZE=65537");
        assert!(error(&many).contains("65536 processes at most"));
        assert!(error(&TORCHRUN.replace("=host", "=0.0.0.0")).contains("MASTER_ADDR is `0.0.0.0`"));
        assert!(error(&format!("{TORCHRUN} VANC_SECRET=short")).contains("5 bytes"));
        for (value, part) in [("x", "`x`"), ("-1", "`-1`"), ("1e3", "`1e3`")] {
            let wrong = format!("RANK={value} WORLD_SIZE=2");
            assert!(error(&wrong).contains(part), "{value}");
        }
        for port in ["0", "65536", "port", "99999999999999999999999"] {
            let wrong = TORCHRUN.replace("29500", port);
            assert!(error(&wrong).contains("MASTER_PORT is"), "{port}");
        }
        let last = format!("{TORCHRUN} {TAKEN}=True").replace("29500", "65535");
        assert_eq!(read(&last).unwrap().unwrap().port, 65534);
    }
}
