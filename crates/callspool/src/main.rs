//! Callspool keeps telephone call recordings: from the provider into the customer's own archive, checked, tied to the job
//! they belong to, playable from a link that does not die, and only then released at the provider.

use std::process::ExitCode;

/// Buffers of every size come and go between threads; `docs/adr/0013-jemalloc.md` has the measurement.
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

fn main() -> ExitCode {
    callspool::cli::main()
}
