//! A record of a TFRecord file: its length, its content, and a check of each
//! (`tensorflow/core/lib/io/record_writer.h` in the repository
//! tensorflow/tensorflow).

/// Added to a check that was turned, so that a check of checks is none.
const MASK: u32 = 0xa282_ead8;

/// `length: u64 · check of it: u32 · content · check of it: u32`,
/// little-endian.
pub(super) fn record(content: &[u8]) -> Vec<u8> {
    let length = (content.len() as u64).to_le_bytes();
    let mut record = Vec::with_capacity(content.len() + 16);
    record.extend_from_slice(&length);
    record.extend_from_slice(&check(&length).to_le_bytes());
    record.extend_from_slice(content);
    record.extend_from_slice(&check(content).to_le_bytes());
    record
}

/// CRC-32C, turned right by 15 bits and masked.
fn check(bytes: &[u8]) -> u32 {
    crc32c::crc32c(bytes).rotate_right(15).wrapping_add(MASK)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_is_that_of_the_reference() {
        // RFC 3720, B.4: the CRC-32C of 32 zeros is 0x8a9136aa.
        let zeros = [0; 32];
        let masked = 0x8a91_36aa_u32.rotate_right(15).wrapping_add(MASK);
        let record = record(&zeros);
        assert_eq!(record.len(), 8 + 4 + 32 + 4);
        assert_eq!(record[..8], 32_u64.to_le_bytes());
        assert_eq!(record[44..], masked.to_le_bytes());
    }
}
