//! Writes bytes as text: percent-encoding and hexadecimal. Handwritten, because a crate for twenty lines would only
//! enlarge every function's zip.

/// Percent-encodes everything but the unreserved characters of RFC 3986, for URLs and forms.
pub fn percent(text: &str) -> String {
    let mut escaped = String::new();
    for byte in text.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
                escaped.push(byte.into());
            }
            _ => escaped += &format!("%{byte:02X}"),
        }
    }
    escaped
}

/// Bytes in lower-case hexadecimal.
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_unreserved_characters_stay_as_they_are() {
        assert_eq!(percent("AZaz09-._~"), "AZaz09-._~");
        assert_eq!(percent("a b+c/ä%"), "a%20b%2Bc%2F%C3%A4%25");
    }

    #[test]
    fn each_byte_becomes_two_digits() {
        assert_eq!(hex(&[0, 0x0f, 0xa0, 0xff]), "000fa0ff");
    }
}
