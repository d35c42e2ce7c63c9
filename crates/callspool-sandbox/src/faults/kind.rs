//! The kinds of faults, to be gone through: a table of faults can be held against all there are.

use super::Fault;

macro_rules! kinds {
    ($($name:ident),* $(,)?) => {
        /// What a fault is, without its particulars.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        #[expect(missing_docs, reason = "each is told at the fault of its name")]
        pub enum FaultKind { $($name),* }

        impl FaultKind {
            /// All of them.
            pub const ALL: &'static [Self] = &[$(Self::$name),*];
        }

        impl Fault {
            /// What it is, without its particulars.
            pub fn kind(&self) -> FaultKind {
                match self { $(Self::$name { .. } => FaultKind::$name),* }
            }
        }
    };
}

kinds! {
    Status,
    Early,
    Refuse,
    LostReply,
    Reset,
    RetryAfter,
    Redirect,
    Text,
    Endless,
    HugeHead,
    FlipByte,
    Delay,
    Hang,
    Stall,
    CutAfter,
    Truncate,
    Longer,
    WrongBody,
    Drip,
}
