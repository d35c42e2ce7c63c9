//! The two telephone codings of ITU-T G.711 as 16-bit samples, by table.

/// The magnitude of the loudest µ-law code.
pub(crate) const MU_LAW_FULL_SCALE: u16 = 32_124;

/// The magnitude of the loudest A-law code.
pub(crate) const A_LAW_FULL_SCALE: u16 = 32_256;

/// The sample of each µ-law code.
pub(crate) static MU_LAW: [i16; 256] = mu_law_table();

/// The sample of each A-law code.
pub(crate) static A_LAW: [i16; 256] = a_law_table();

const fn mu_law_table() -> [i16; 256] {
    let mut table = [0; 256];
    let mut code = 0;
    while code < 256 {
        let bits = !(code as u8);
        let exponent = (bits >> 4) & 7;
        let mantissa = (bits & 15) as i16;
        let magnitude = (((mantissa << 3) + 0x84) << exponent) - 0x84;
        table[code] = if bits & 0x80 == 0 { magnitude } else { -magnitude };
        code += 1;
    }
    table
}

const fn a_law_table() -> [i16; 256] {
    let mut table = [0; 256];
    let mut code = 0;
    while code < 256 {
        let bits = code as u8 ^ 0x55;
        let exponent = (bits >> 4) & 7;
        let mantissa = (bits & 15) as i16;
        let magnitude = match exponent {
            0 => (mantissa << 4) + 8,
            _ => ((mantissa << 4) + 0x108) << (exponent - 1),
        };
        table[code] = if bits & 0x80 == 0 { -magnitude } else { magnitude };
        code += 1;
    }
    table
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_decode_as_the_standard_says() {
        // G.711 gives 14-bit and 13-bit values (tables 1 and 2); as 16-bit samples they are 4 and 8 times as large.
        assert_eq!((MU_LAW[0x00], MU_LAW[0x80], MU_LAW[0xFF], MU_LAW[0x7F]), (-8031 * 4, 8031 * 4, 0, 0));
        assert_eq!((MU_LAW[0x8F], MU_LAW[0xEF], MU_LAW[0xFE]), (4191 * 4, 33 * 4, 2 * 4));
        assert_eq!((A_LAW[0xAA], A_LAW[0x2A], A_LAW[0xD5], A_LAW[0x55]), (4032 * 8, -4032 * 8, 8, -8));
        assert_eq!(A_LAW[0xA5], 2112 * 8);
    }

    #[test]
    fn full_scale_is_the_loudest_code() {
        let loudest = |table: &[i16]| table.iter().map(|sample| sample.unsigned_abs()).max();
        assert_eq!(loudest(&MU_LAW), Some(MU_LAW_FULL_SCALE));
        assert_eq!(loudest(&A_LAW), Some(A_LAW_FULL_SCALE));
    }
}
