//! Reading from a stream that is pushed in pieces: a cursor that knows its place in the file, and a collector for
//! the few headers that are needed as a whole.

/// One pushed piece of the file, and how far into the file it has been read.
pub(crate) struct Input<'a> {
    bytes: &'a [u8],
    at: u64,
}

impl<'a> Input<'a> {
    /// `at` is the offset of the piece's first byte in the file.
    pub(crate) fn new(bytes: &'a [u8], at: u64) -> Self {
        Self { bytes, at }
    }

    /// Offset of the next byte in the file.
    pub(crate) fn at(&self) -> u64 {
        self.at
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// The next byte, which stays.
    pub(crate) fn peek(&self) -> Option<u8> {
        self.bytes.first().copied()
    }

    /// Takes what there is, at most `limit` bytes.
    pub(crate) fn take(&mut self, limit: u64) -> &'a [u8] {
        let count = usize::try_from(limit).unwrap_or(usize::MAX).min(self.bytes.len());
        let (taken, rest) = self.bytes.split_at(count);
        self.bytes = rest;
        self.at += count as u64;
        taken
    }

    /// Drops what there is, at most `left` bytes, and returns how many of them are still to come.
    pub(crate) fn skip(&mut self, left: u64) -> u64 {
        left - self.take(left).len() as u64
    }
}

/// Collects a header of known length over any number of pieces.
pub(crate) struct Gather {
    bytes: Vec<u8>,
    wanted: usize,
}

impl Gather {
    pub(crate) fn new(wanted: usize) -> Self {
        Self { bytes: Vec::with_capacity(wanted), wanted }
    }

    /// Takes from `input` what is missing; true once everything wanted is there.
    pub(crate) fn fill(&mut self, input: &mut Input<'_>) -> bool {
        let missing = self.wanted - self.bytes.len();
        self.bytes.extend_from_slice(input.take(missing as u64));
        self.bytes.len() == self.wanted
    }

    /// Wants `wanted` bytes in all, those already here included.
    pub(crate) fn extend_to(&mut self, wanted: usize) {
        self.wanted = wanted.max(self.bytes.len());
    }

    /// Forgets everything and wants `wanted` bytes anew.
    pub(crate) fn restart(&mut self, wanted: usize) {
        self.bytes.clear();
        self.wanted = wanted;
    }

    pub(crate) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    pub(crate) fn wanted(&self) -> usize {
        self.wanted
    }
}
