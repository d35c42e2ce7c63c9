//! Callspool keeps telephone call recordings: from the provider into the customer's own archive, checked, tied to the job
//! they belong to, playable from a link that does not die, and only then released at the provider.

use std::process::ExitCode;

fn main() -> ExitCode {
    callspool::cli::main()
}
