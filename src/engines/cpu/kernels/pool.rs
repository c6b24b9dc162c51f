//! Fork-join over persistent threads.
//!
//! A join through a general scheduler costs some 15 µs, as much as a whole narrow layer;
//! here the threads spin between runs for a while, so that a run costs well under a
//! microsecond. Threads that spin for nothing would starve others on a busy machine, so
//! they yield after a short spin and sleep after a long one.

use super::simd::{Isa, flush_to_zero};
use crate::error::{Error, Result};
use std::any::Any;
use std::cell::Cell;
use std::marker::PhantomData;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

/// Polls before a waiting thread starts to yield: some 20 µs.
const SPINS: u32 = 1000;
/// How long an idle thread yields before it sleeps.
const AWAKE: Duration = Duration::from_millis(2);

type Job = *const (dyn Fn(usize) + Sync);

/// Threads that run one function at a time together, the caller being thread 0.
pub struct Pool {
    team: Arc<Team>,
    helpers: Vec<JoinHandle<()>>,
    isa: Isa,
    /// Runs do not nest, so one thread owns the pool and jobs cannot capture it.
    not_sync: PhantomData<Cell<()>>,
}

/// What the threads share.
struct Team {
    job: Mutex<Option<SendJob>>,
    spins: u32,
    members: Vec<Line<Member>>,
    panic: Mutex<Option<Box<dyn Any + Send>>>,
}

/// On a cache line of its own.
#[repr(align(128))]
#[derive(Default)]
struct Line<T>(T);

#[derive(Default)]
struct Member {
    /// Of a helper: one of the states below.
    state: AtomicUsize,
    asleep: AtomicBool,
    next_part: AtomicUsize,
}

#[derive(Clone, Copy)]
struct SendJob(Job);
// SAFETY: the function is `Sync`, and `Pool::run` outwaits every use of the pointer.
unsafe impl Send for SendJob {}

/// A helper has nothing to do.
const IDLE: usize = 0;
/// It may take the job, or the caller may take it back.
const CALLED: usize = 1;
/// It is inside the job.
const BUSY: usize = 2;
/// It shall end.
const QUIT: usize = 3;

impl Pool {
    /// A pool of `threads` (at least one) that uses the instructions of [`Isa::chosen`].
    pub fn new(threads: usize) -> Result<Pool> {
        Pool::with_isa(threads, Isa::chosen()?)
    }

    /// As [`Pool::new`], with chosen instructions; lowered to the best the machine has.
    pub fn with_isa(threads: usize, isa: Isa) -> Result<Pool> {
        let threads = threads.max(1);
        let cores = thread::available_parallelism().map_or(1, usize::from);
        let team = Arc::new(Team {
            job: Mutex::new(None),
            spins: if threads > cores { 0 } else { SPINS },
            members: (0..threads).map(|_| Line::default()).collect(),
            panic: Mutex::new(None),
        });
        let mut pool = Pool {
            team,
            helpers: Vec::with_capacity(threads - 1),
            isa: isa.min(Isa::best()),
            not_sync: PhantomData,
        };
        for index in 1..threads {
            let team = Arc::clone(&pool.team);
            let helper = thread::Builder::new()
                .name(format!("vanc-{index}"))
                .spawn(move || team.help(index))
                .map_err(|error| {
                    Error::new(format!("cannot start {threads} threads: {error}"))
                        .help("ask for fewer with --threads")
                })?;
            pool.helpers.push(helper);
        }
        Ok(pool)
    }

    /// Number of threads.
    pub fn threads(&self) -> usize {
        self.team.members.len()
    }

    /// The instructions that kernels on this pool use.
    pub fn isa(&self) -> Isa {
        self.isa
    }

    /// Runs `job(thread)` on every thread at once and waits for all.
    pub fn run(&self, job: &(dyn Fn(usize) + Sync)) {
        self.fork(job, false);
    }

    /// Runs `job(0)` on the caller's thread, as [`Pool::run`] would.
    pub fn alone(&self, job: &(dyn Fn(usize) + Sync)) {
        let _restore = flush_to_zero();
        job(0);
    }

    /// As [`Pool::run`]; with `optional`, a helper that has not begun when the caller is
    /// done is left out. On a busy machine it may not get a processor for a long while.
    fn fork(&self, job: &(dyn Fn(usize) + Sync), optional: bool) {
        let team = &*self.team;
        // SAFETY: only lengthens the lifetime; every use ends before this function does.
        let lasting =
            SendJob(unsafe { std::mem::transmute::<*const (dyn Fn(usize) + Sync + '_), Job>(job) });
        if !self.helpers.is_empty() {
            *team.job.lock().unwrap_or_else(|e| e.into_inner()) = Some(lasting);
        }
        let called = || self.helpers.iter().zip(&team.members[1..]);
        for (helper, Line(member)) in called() {
            // Sequentially consistent against `asleep`: either the helper sees the call
            // before it sleeps, or it is seen asleep here.
            member.state.store(CALLED, Ordering::SeqCst);
            if member.asleep.load(Ordering::SeqCst) {
                helper.thread().unpark();
            }
        }
        let restore = flush_to_zero();
        let outcome = catch_unwind(AssertUnwindSafe(|| job(0)));
        drop(restore);
        for (_, Line(member)) in called() {
            let mut polls = 0;
            while member.state.load(Ordering::Acquire) != IDLE {
                if optional && member.change(CALLED, IDLE) {
                    break;
                }
                pause(&mut polls, team.spins);
            }
        }
        if let Err(panic) = outcome {
            resume_unwind(panic);
        }
        let panic = team.panic.lock().unwrap_or_else(|e| e.into_inner()).take();
        if let Some(panic) = panic {
            resume_unwind(panic);
        }
    }

    /// Runs `job(thread, part)` once for every part of `0..parts`.
    ///
    /// Each thread starts on its share of adjacent parts, the same in every run, which
    /// keeps caches warm; a thread that is done takes from the others, which evens out a
    /// busy machine. So which thread runs a part varies, and may only choose scratch.
    pub fn parts(&self, parts: usize, job: impl Fn(usize, usize) + Sync) {
        let threads = self.threads();
        if threads == 1 || parts <= 1 {
            let _restore = flush_to_zero();
            (0..parts).for_each(|part| job(0, part));
            return;
        }
        let members = &self.team.members;
        for (index, member) in members.iter().enumerate() {
            member
                .0
                .next_part
                .store(index * parts / threads, Ordering::Relaxed);
        }
        let work = |thread| {
            for index in (thread..threads).chain(0..thread) {
                let end = (index + 1) * parts / threads;
                let next = &members[index].0.next_part;
                while next.load(Ordering::Relaxed) < end {
                    let part = next.fetch_add(1, Ordering::Relaxed);
                    if part < end {
                        job(thread, part);
                    }
                }
            }
        };
        self.fork(&work, true);
    }
}

impl Drop for Pool {
    fn drop(&mut self) {
        for (helper, member) in self.helpers.drain(..).zip(&self.team.members[1..]) {
            member.0.state.store(QUIT, Ordering::SeqCst);
            helper.thread().unpark();
            // A helper's panic was passed on when it happened.
            let _ = helper.join();
        }
    }
}

impl Member {
    /// Goes from a state to another, if it is in the first.
    fn change(&self, from: usize, to: usize) -> bool {
        self.state
            .compare_exchange(from, to, Ordering::AcqRel, Ordering::Relaxed)
            .is_ok()
    }
}

impl Team {
    /// The life of a helper thread.
    fn help(&self, index: usize) {
        std::mem::forget(flush_to_zero());
        let Line(member) = &self.members[index];
        while self.is_called(member) {
            if !member.change(CALLED, BUSY) {
                // Taken back.
                continue;
            }
            let job = *self.job.lock().unwrap_or_else(|e| e.into_inner());
            if let Some(SendJob(job)) = job {
                // SAFETY: `Pool::fork` keeps the function alive while this is busy.
                let job = unsafe { &*job };
                if let Err(panic) = catch_unwind(AssertUnwindSafe(|| job(index))) {
                    *self.panic.lock().unwrap_or_else(|e| e.into_inner()) = Some(panic);
                }
            }
            member.state.store(IDLE, Ordering::Release);
        }
    }

    /// Waits until a helper is called, or false where it shall end.
    fn is_called(&self, member: &Member) -> bool {
        let mut polls = 0;
        let mut idle_since = None;
        loop {
            match member.state.load(Ordering::Acquire) {
                CALLED => return true,
                QUIT => return false,
                _ => {}
            }
            if polls < self.spins {
                pause(&mut polls, self.spins);
                continue;
            }
            let since = *idle_since.get_or_insert_with(Instant::now);
            if since.elapsed() < AWAKE {
                thread::yield_now();
                continue;
            }
            member.asleep.store(true, Ordering::SeqCst);
            while member.state.load(Ordering::SeqCst) == IDLE {
                thread::park();
            }
            member.asleep.store(false, Ordering::SeqCst);
        }
    }
}

/// Where the threads of one [`Pool::run`] meet.
pub struct Barrier {
    threads: usize,
    spins: u32,
    arrived: Line<AtomicUsize>,
    /// Times that all have passed.
    passed: Line<AtomicUsize>,
    broken: AtomicBool,
}

impl Barrier {
    /// Of `threads` of `pool`.
    pub fn new(pool: &Pool, threads: usize) -> Barrier {
        Barrier {
            threads,
            spins: pool.team.spins,
            arrived: Line::default(),
            passed: Line::default(),
            broken: AtomicBool::new(false),
        }
    }

    /// Waits until all threads are here; the last one does `alone` before they part.
    ///
    /// # Panics
    /// If a thread's work panicked, so that it will never come: see [`Self::attend`].
    pub fn wait(&self, alone: impl FnOnce()) {
        let before = self.passed.0.load(Ordering::Acquire);
        if self.arrived.0.fetch_add(1, Ordering::AcqRel) + 1 == self.threads {
            alone();
            self.arrived.0.store(0, Ordering::Relaxed);
            self.passed.0.store(before + 1, Ordering::Release);
            return;
        }
        let mut polls = 0;
        while self.passed.0.load(Ordering::Acquire) == before {
            assert!(
                !self.broken.load(Ordering::Relaxed),
                "another thread panicked"
            );
            pause(&mut polls, self.spins);
        }
    }

    /// Runs a thread's work, so that the others do not wait for it if it panics.
    pub fn attend(&self, work: impl FnOnce()) {
        if let Err(panic) = catch_unwind(AssertUnwindSafe(work)) {
            self.broken.store(true, Ordering::Relaxed);
            resume_unwind(panic);
        }
    }
}

/// Waits a moment: spins the first `spins` times, then yields.
fn pause(polls: &mut u32, spins: u32) {
    if *polls < spins {
        *polls += 1;
        std::hint::spin_loop();
    } else {
        thread::yield_now();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_part_runs_once_on_any_number_of_threads() {
        for threads in [1, 2, 3, 8] {
            let pool = Pool::new(threads).unwrap();
            for parts in [0, 1, 2, 7, 100] {
                let counts: Vec<AtomicUsize> = (0..parts).map(|_| AtomicUsize::new(0)).collect();
                for _ in 0..50 {
                    pool.parts(parts, |thread, part| {
                        assert!(thread < threads);
                        counts[part].fetch_add(1, Ordering::Relaxed);
                    });
                }
                assert!(
                    counts
                        .iter()
                        .all(|count| count.load(Ordering::Relaxed) == 50)
                );
            }
        }
    }

    #[test]
    fn sleeping_threads_wake() {
        let pool = Pool::new(2).unwrap();
        thread::sleep(5 * AWAKE);
        let ran = AtomicUsize::new(0);
        pool.run(&|_| {
            ran.fetch_add(1, Ordering::Relaxed);
        });
        assert_eq!(ran.load(Ordering::Relaxed), 2);
    }

    #[test]
    fn a_panic_on_a_helper_reaches_the_caller_and_leaves_the_pool_usable() {
        let pool = Pool::new(2).unwrap();
        let outcome = catch_unwind(AssertUnwindSafe(|| {
            pool.run(&|thread| assert!(thread == 0, "on a helper"));
        }));
        assert!(outcome.is_err());
        pool.run(&|_| {});
    }

    #[test]
    fn threads_meet_and_one_works_alone() {
        for threads in [1, 2, 5] {
            let pool = Pool::new(threads).unwrap();
            let barrier = Barrier::new(&pool, pool.threads());
            let (together, alone) = (AtomicUsize::new(0), AtomicUsize::new(0));
            pool.run(&|_| {
                for round in 1..=100 {
                    together.fetch_add(1, Ordering::Relaxed);
                    barrier.wait(|| {
                        assert_eq!(together.load(Ordering::Relaxed), round * threads);
                        alone.fetch_add(1, Ordering::Relaxed);
                    });
                    assert_eq!(alone.load(Ordering::Relaxed), round);
                    barrier.wait(|| {});
                }
            });
        }
    }

    #[test]
    fn nobody_waits_for_a_thread_that_panicked() {
        let pool = Pool::new(2).unwrap();
        let barrier = Barrier::new(&pool, pool.threads());
        let outcome = catch_unwind(AssertUnwindSafe(|| {
            pool.run(&|thread| {
                barrier.attend(|| {
                    assert!(thread == 0, "on a helper");
                    barrier.wait(|| {});
                });
            });
        }));
        assert!(outcome.is_err());
    }

    #[test]
    fn subnormals_are_flushed_on_every_thread_and_only_in_runs() {
        if cfg!(not(target_arch = "x86_64")) {
            return;
        }
        let halve = |x: f32| std::hint::black_box(x) * std::hint::black_box(0.5);
        let pool = Pool::new(2).unwrap();
        pool.run(&|_| assert_eq!(halve(f32::MIN_POSITIVE), 0.0));
        assert!(halve(f32::MIN_POSITIVE) > 0.0);
    }
}
