//! Tests of several processes that train one network: those that need no GPU, and whole runs
//! where there are two GPUs or the stand-ins of `tests/emulator`.

#[path = "../needs/mod.rs"]
mod needs;
mod program;
mod ranks;

use needs::{Need, case};
use std::process::ExitCode;
use vanc::engines::cuda::{self, Library};

/// Two GPUs, or the stand-in, whose one card serves any number of processes, and NCCL.
fn two_gpus() -> Need {
    let cards = cuda::count().unwrap_or(0);
    match cards > 1 || (cards == 1 && std::env::var_os("VANC_EMULATOR").is_some()) {
        false => Err("two NVIDIA GPUs".into()),
        true if Library::Nccl.load().is_err() => Err("NCCL".into()),
        true => Ok(()),
    }
}

/// A GPU on a machine without NCCL.
fn no_nccl() -> Need {
    match cuda::usable(None).is_ok() && Library::Nccl.load().is_err() {
        true => Ok(()),
        false => Err("an NVIDIA GPU without NCCL".into()),
    }
}

fn main() -> ExitCode {
    if ranks::is_rank() {
        ranks::rank();
        return ExitCode::SUCCESS;
    }
    let (gpus, no_nccl) = (two_gpus(), no_nccl());
    needs::run(vec![
        case(
            "program::several_processes_train_what_one_does",
            &gpus,
            program::several_processes_train_what_one_does,
        ),
        case(
            "program::a_signal_to_one_stops_all_with_a_checkpoint_that_goes_on",
            &gpus,
            program::a_signal_to_one_stops_all_with_a_checkpoint_that_goes_on,
        ),
        case(
            "program::one_that_is_killed_ends_the_others",
            &gpus,
            program::one_that_is_killed_ends_the_others,
        ),
        case(
            "program::other_settings_are_refused_by_name",
            &gpus,
            program::other_settings_are_refused_by_name,
        ),
        case(
            "program::without_the_library_it_is_named",
            &no_nccl,
            program::without_the_library_it_is_named,
        ),
        case(
            "program::processors_train_in_one_process",
            &Ok(()),
            program::processors_train_in_one_process,
        ),
        case(
            "program::a_world_of_one_is_no_world",
            &Ok(()),
            program::a_world_of_one_is_no_world,
        ),
        case(
            "ranks::all_ranks_end_with_the_same_weights",
            &gpus,
            ranks::all_ranks_end_with_the_same_weights,
        ),
        case(
            "ranks::parts_lose_together_what_the_whole_does",
            &gpus,
            ranks::parts_lose_together_what_the_whole_does,
        ),
        case(
            "ranks::a_group_of_one_is_exact",
            &gpus,
            ranks::a_group_of_one_is_exact,
        ),
    ])
}
