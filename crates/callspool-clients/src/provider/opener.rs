//! A recording's ciphertext in, its audio out, piece by piece: AES-256-GCM with the tag at the end of the stream.
//!
//! Guarantee: holds 16 bytes of the stream, however long it is. What comes out before [`Opener::finish`] has proven the
//! tag is not to be believed, and must not become visible.

use aws_lc_rs::cipher::{AES_256, DecryptionContext, StreamingDecryptingKey, UnboundCipherKey};
use aws_lc_rs::error::Unspecified;
use aws_lc_rs::iv::FixedLength;
use ghash::universal_hash::UniversalHash as _;
use ghash::{Block, GHash};
use subtle::ConstantTimeEq as _;

/// Bytes of a block of AES.
const BLOCK: usize = 16;
/// Bytes of the tag: the last of the stream.
pub const TAG: usize = 16;
/// GCM counts its blocks in 32 bits, two of which are not for the content (NIST SP 800-38D, 5.2.1.1).
const MOST_BYTES: u64 = ((1 << 32) - 2) * BLOCK as u64;

/// The bytes are not those that were encrypted: changed, cut off, or of another recording.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("its {bytes} bytes are not those that the provider encrypted: the tag at their end does not prove them")]
pub struct Damaged {
    /// How many came, the tag included.
    pub bytes: u64,
}

/// Opens one stream.
pub struct Opener {
    /// AES in counter mode, at the counter of the next byte.
    cipher: StreamingDecryptingKey,
    hash: GHash,
    /// What the hash has not taken yet, because it takes whole blocks.
    unhashed: Vec<u8>,
    /// The last bytes that came: the tag, if nothing follows.
    held: Vec<u8>,
    /// What hides the tag.
    mask: [u8; BLOCK],
    bytes: u64,
    is_broken: bool,
}

impl Opener {
    /// For content that was encrypted with this key and this vector, and with no further data under the tag.
    pub(super) fn new(key: &[u8; 32], iv: [u8; 12]) -> Result<Self, Unspecified> {
        // NIST SP 800-38D, 7.1: the hash's key is the cipher of a block of zeros; with a vector of 96 bits the counter
        // begins at 1, whose block hides the tag, and the content's first block follows.
        let mut zero = [0; BLOCK];
        counter(key, [0; BLOCK])?.less_safe_update(&[0; BLOCK], &mut zero)?;
        let mut first = [0; BLOCK];
        first.iter_mut().zip(iv.into_iter().chain([0, 0, 0, 1])).for_each(|(to, from)| *to = from);
        let mut cipher = counter(key, first)?;
        let mut mask = [0; BLOCK];
        cipher.less_safe_update(&[0; BLOCK], &mut mask)?;
        Ok(Self {
            cipher,
            hash: GHash::new(&zero.into()),
            unhashed: Vec::with_capacity(BLOCK),
            held: Vec::with_capacity(2 * TAG),
            mask,
            bytes: 0,
            is_broken: false,
        })
    }

    /// Takes the next bytes of the stream and returns the next of the content: those that are certainly not the tag.
    pub fn push(&mut self, bytes: &[u8]) -> Vec<u8> {
        self.bytes += bytes.len() as u64;
        let ready = (self.held.len() + bytes.len()).saturating_sub(TAG);
        let (from_held, from_new) = (ready.min(self.held.len()), ready.saturating_sub(self.held.len()));
        let (new, rest) = bytes.split_at(from_new);
        let mut content: Vec<u8> = self.held.drain(..from_held).collect();
        content.extend_from_slice(new);
        self.held.extend_from_slice(rest);
        self.absorb(&content);
        // The cipher asks for room for a block more than it will write, and fails only beyond 2 GiB in one piece.
        let mut opened = vec![0; content.len() + BLOCK];
        self.is_broken |= self.cipher.update(&content, &mut opened).is_err();
        opened.truncate(content.len());
        opened
    }

    /// The stream has ended: proves everything that came out.
    pub fn finish(mut self) -> Result<(), Damaged> {
        let damaged = Damaged { bytes: self.bytes };
        let Some(content) = self.bytes.checked_sub(TAG as u64) else { return Err(damaged) };
        let rest = std::mem::take(&mut self.unhashed);
        self.hash.update_padded(&rest);
        let mut lengths = [0; BLOCK];
        // No further data, then the content's length in bits.
        lengths.iter_mut().skip(8).zip((content.wrapping_mul(8)).to_be_bytes()).for_each(|(to, from)| *to = from);
        self.hash.update(&[lengths.into()]);
        let mut tag: [u8; TAG] = self.hash.finalize().into();
        tag.iter_mut().zip(self.mask).for_each(|(byte, mask)| *byte ^= mask);
        let is_proven = bool::from(tag.as_slice().ct_eq(&self.held));
        if is_proven && content <= MOST_BYTES && !self.is_broken { Ok(()) } else { Err(damaged) }
    }

    /// Gives the hash every whole block there is.
    fn absorb(&mut self, mut content: &[u8]) {
        if !self.unhashed.is_empty() {
            let missing = (BLOCK - self.unhashed.len()).min(content.len());
            let (now, later) = content.split_at(missing);
            self.unhashed.extend_from_slice(now);
            content = later;
            if self.unhashed.len() < BLOCK {
                return;
            }
            let block = std::mem::take(&mut self.unhashed);
            self.hash.update_padded(&block);
        }
        let (blocks, rest) = Block::slice_as_chunks(content);
        self.hash.update(blocks);
        self.unhashed.extend_from_slice(rest);
    }
}

/// AES-256 in counter mode from this block on. Its counter has 128 bits and GCM's has 32, which is the same up to
/// [`MOST_BYTES`].
fn counter(key: &[u8; 32], first: [u8; BLOCK]) -> Result<StreamingDecryptingKey, Unspecified> {
    let key = UnboundCipherKey::new(&AES_256, key)?;
    StreamingDecryptingKey::ctr(key, DecryptionContext::Iv128(FixedLength::from(first)))
}

impl std::fmt::Debug for Opener {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Opener").field("bytes", &self.bytes).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
    use proptest::prelude::*;

    use super::*;

    /// The same cipher by another implementation, in one go.
    fn seal(key: &[u8; 32], iv: [u8; 12], content: &[u8]) -> Vec<u8> {
        let key = LessSafeKey::new(UnboundKey::new(&AES_256_GCM, key).expect("a key"));
        let mut sealed = content.to_vec();
        key.seal_in_place_append_tag(Nonce::assume_unique_for_key(iv), Aad::empty(), &mut sealed).expect("sealed");
        sealed
    }

    fn open(key: &[u8; 32], iv: [u8; 12], pieces: &[&[u8]]) -> (Vec<u8>, Result<(), Damaged>) {
        let mut opener = Opener::new(key, iv).expect("an opener");
        let opened = pieces.iter().flat_map(|piece| opener.push(piece)).collect();
        (opened, opener.finish())
    }

    /// Cuts at these places, wherever they fall; some pieces are empty.
    fn cut<'a>(bytes: &'a [u8], cuts: &[prop::sample::Index]) -> Vec<&'a [u8]> {
        let mut places: Vec<usize> = cuts.iter().map(|cut| cut.index(bytes.len() + 1)).collect();
        places.extend([0, bytes.len()]);
        places.sort_unstable();
        places.windows(2).map(|pair| &bytes[pair[0]..pair[1]]).collect()
    }

    #[test]
    fn the_published_example_of_the_cipher() {
        // McGrew and Viega, "The Galois/Counter Mode of Operation", appendix B, test case 15.
        let bytes = |text: &str| hex::decode(text).expect("hexadecimal");
        let key = bytes(&"feffe9928665731c6d6a8f9467308308".repeat(2)).try_into().expect("32 bytes");
        let iv = bytes("cafebabefacedbaddecaf888").try_into().expect("12 bytes");
        let content = bytes(
            "d9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a72\
             1c3c0c95956809532fcf0e2449a6b525b16aedf5aa0de657ba637b391aafd255",
        );
        let sealed = bytes(
            "522dc1f099567d07f47f37a32a84427d643a8cdcbfe5c0c97598a2bd2555d1aa\
             8cb08e48590dbb3da7b08b1056828838c5f61e6393ba7a0abcc9f662898015ad\
             b094dac5d93471bdec1a502270e3cc6c",
        );
        assert_eq!(open(&key, iv, &[&sealed]), (content, Ok(())));
    }

    #[test]
    fn what_is_too_short_for_a_tag_is_damaged() {
        for length in 0..TAG {
            let (opened, proof) = open(&[7; 32], [7; 12], &[&vec![0; length]]);
            assert_eq!((opened.len(), proof), (0, Err(Damaged { bytes: length as u64 })));
        }
        assert_eq!(open(&[7; 32], [7; 12], &[&seal(&[7; 32], [7; 12], b"")]), (Vec::new(), Ok(())));
    }

    proptest! {
        #[test]
        fn however_the_stream_is_cut_into_pieces_the_content_comes_out_and_is_proven(
            key in any::<[u8; 32]>(), iv in any::<[u8; 12]>(),
            content in prop::collection::vec(any::<u8>(), 0..600),
            cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..12),
        ) {
            let sealed = seal(&key, iv, &content);
            prop_assert_eq!(open(&key, iv, &cut(&sealed, &cuts)), (content, Ok(())));
        }

        #[test]
        fn one_changed_bit_one_byte_less_and_one_byte_more_are_damage(
            content in prop::collection::vec(any::<u8>(), 0..300),
            place in any::<prop::sample::Index>(), bit in 0..8u8, more in any::<u8>(),
            cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..6),
        ) {
            let (key, iv) = ([3; 32], [5; 12]);
            let sealed = seal(&key, iv, &content);
            let mut changed = sealed.clone();
            changed[place.index(sealed.len())] ^= 1 << bit;
            let longer: Vec<u8> = sealed.iter().copied().chain([more]).collect();
            for damaged in [&changed, &longer, &sealed[1..].to_vec(), &sealed[..sealed.len() - 1].to_vec()] {
                let bytes = damaged.len() as u64;
                prop_assert_eq!(open(&key, iv, &cut(damaged, &cuts)).1, Err(Damaged { bytes }));
            }
        }
    }
}
