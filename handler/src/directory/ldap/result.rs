//! The meaning of an LDAP server's result codes (RFC 4511, appendix A), and of those that Active Directory writes into the
//! text.

use super::super::verdict::Verdict;
use crate::budget::Unavailable;

const SUCCESS: u32 = 0;
const OPERATIONS_ERROR: u32 = 1;
pub(super) const SIZE_LIMIT: u32 = 4;
const REFERRAL: u32 = 10;
const CONSTRAINT_VIOLATION: u32 = 19;
const NO_SUCH_OBJECT: u32 = 32;
const INVALID_DN: u32 = 34;
const INAPPROPRIATE_AUTHENTICATION: u32 = 48;
const INVALID_CREDENTIALS: u32 = 49;
const INSUFFICIENT_ACCESS: u32 = 50;
const UNWILLING: u32 = 53;

/// The response to a bind. `None`: the password is right.
pub(super) fn bound(code: u32, text: &str) -> Result<Option<Verdict>, Unavailable> {
    Ok(Some(match code {
        SUCCESS => return Ok(None),
        INVALID_CREDENTIALS => refused(text),
        NO_SUCH_OBJECT | INVALID_DN => Verdict::NotFound,
        // 389 Directory Server returns these for an account that is locked, without a password, or disabled.
        CONSTRAINT_VIOLATION | INAPPROPRIATE_AUTHENTICATION | UNWILLING => Verdict::NotEligible,
        REFERRAL => return Err(Unavailable("referral")),
        _ => return Err(Unavailable("status")),
    }))
}

/// Active Directory has one code for all refused binds, and says why in the text: `..., data 52e, v4563`.
fn refused(text: &str) -> Verdict {
    let (_, after) = text.split_once(", data ").unwrap_or_default();
    match after.split(',').next().unwrap_or_default() {
        "525" => Verdict::NotFound,
        // Not at this time, not from here, expired, disabled, expired, to be changed first, locked.
        "530" | "531" | "532" | "533" | "701" | "773" | "775" => Verdict::NotEligible,
        _ => Verdict::WrongPassword,
    }
}

/// The response to a search. If there are more entries than requested, those received are enough to see that.
pub(super) fn searched(code: u32) -> Result<(), Unavailable> {
    match code {
        SUCCESS | SIZE_LIMIT => Ok(()),
        REFERRAL => Err(Unavailable("referral")),
        // There is no such entry, or the searching DN cannot see it.
        NO_SUCH_OBJECT => Err(Unavailable("base")),
        // Active Directory returns the first of these for an anonymous search.
        OPERATIONS_ERROR | INSUFFICIENT_ACCESS => Err(Unavailable("login")),
        _ => Err(Unavailable("query")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_response_to_a_bind_has_a_meaning() {
        let ad = |data: &str| {
            format!(
                "80090308: LdapErr: DSID-0C090439, comment: AcceptSecurityContext error, data {data}, v4563"
            )
        };
        for (code, text, expected) in [
            (0, String::new(), Ok(None)),
            (49, String::new(), Ok(Some(Verdict::WrongPassword))),
            (49, ad("52e"), Ok(Some(Verdict::WrongPassword))),
            (49, ad("525"), Ok(Some(Verdict::NotFound))),
            (49, ad("530"), Ok(Some(Verdict::NotEligible))),
            (49, ad("531"), Ok(Some(Verdict::NotEligible))),
            (49, ad("532"), Ok(Some(Verdict::NotEligible))),
            (49, ad("533"), Ok(Some(Verdict::NotEligible))),
            (49, ad("701"), Ok(Some(Verdict::NotEligible))),
            (49, ad("773"), Ok(Some(Verdict::NotEligible))),
            (49, ad("775"), Ok(Some(Verdict::NotEligible))),
            (49, ad("57"), Ok(Some(Verdict::WrongPassword))),
            (32, String::new(), Ok(Some(Verdict::NotFound))),
            (34, String::new(), Ok(Some(Verdict::NotFound))),
            (19, String::new(), Ok(Some(Verdict::NotEligible))),
            (53, String::new(), Ok(Some(Verdict::NotEligible))),
            (10, String::new(), Err(Unavailable("referral"))),
            (1, String::new(), Err(Unavailable("status"))),
            (8, String::new(), Err(Unavailable("status"))),
            (13, String::new(), Err(Unavailable("status"))),
            (51, String::new(), Err(Unavailable("status"))),
            (52, String::new(), Err(Unavailable("status"))),
        ] {
            assert_eq!(bound(code, &text), expected, "{code} {text}");
        }
    }

    #[test]
    fn a_search_that_fails_is_no_unknown_user() {
        assert_eq!(searched(0), Ok(()));
        assert_eq!(searched(4), Ok(()));
        for (code, reason) in [
            (32, "base"),
            (10, "referral"),
            (50, "login"),
            (1, "login"),
            (3, "query"),
            (53, "query"),
        ] {
            assert_eq!(searched(code), Err(Unavailable(reason)), "{code}");
        }
    }
}
