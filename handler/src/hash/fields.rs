//! Reads the fields of stored hashes: numbers, base64, hexadecimal, parameters by name.

use base64::{Engine, prelude::BASE64_STANDARD_NO_PAD};

use super::why::Why;

/// The digits of phpass. Its cost is one of them.
pub(super) const ITOA64: &[u8; 64] =
    b"./0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

pub(super) fn number<T: std::str::FromStr>(text: &str) -> Result<T, Why> {
    text.parse().map_err(|_| Why::Damaged)
}

pub(super) fn base64(text: &str) -> Result<Vec<u8>, Why> {
    BASE64_STANDARD_NO_PAD
        .decode(text.trim_end_matches('='))
        .map_err(|_| Why::Damaged)
}

pub(super) fn unhex(text: &str) -> Result<Vec<u8>, Why> {
    if !text.is_ascii() || text.len() % 2 == 1 {
        return Err(Why::Damaged);
    }
    let byte = |at: usize| u8::from_str_radix(&text[at..at + 2], 16).map_err(|_| Why::Damaged);
    (0..text.len()).step_by(2).map(byte).collect()
}

/// A big-endian number of four bytes.
pub(super) fn be32(bytes: &[u8], at: usize) -> Result<u32, Why> {
    let four = bytes.get(at..at + 4).ok_or(Why::Damaged)?;
    Ok(four
        .iter()
        .fold(0, |number, byte| number << 8 | u32::from(*byte)))
}

/// A parameter of `a=1,b=2`.
pub(super) fn value<T: std::str::FromStr>(parameters: &str, name: &str) -> Result<T, Why> {
    let mut pairs = parameters
        .split(',')
        .filter_map(|pair| pair.split_once('='));
    let (_, value) = pairs
        .find(|(found, _)| *found == name)
        .ok_or(Why::Damaged)?;
    number(value)
}

/// The hash, if it has this length. Functions that can make hashes of any length would also accept the first half of a
/// hash.
pub(super) fn exactly(length: usize, hash: Vec<u8>) -> Result<Vec<u8>, Why> {
    if hash.len() == length {
        Ok(hash)
    } else {
        Err(Why::Damaged)
    }
}

/// Three bytes to four digits of [`ITOA64`], the lowest bits first.
pub(super) fn encode64(bytes: &[u8]) -> String {
    let mut text = String::new();
    for chunk in bytes.chunks(3) {
        let value = chunk
            .iter()
            .rev()
            .fold(0_usize, |value, byte| value << 8 | usize::from(*byte));
        for digit in 0..=chunk.len() {
            text.push(char::from(ITOA64[value >> (6 * digit) & 0x3f]));
        }
    }
    text
}
