//! Reads lists with pages to their end. A service that returns the same token again, or endless new ones, causes an error.

use std::collections::HashSet;
use std::hash::{DefaultHasher, Hash, Hasher};

use super::error::failed;
use jane_migrate_core::aws_error::{AwsError, Kind};

/// The most pages of one list. A log of a million lines has a hundred; with few matching lines it has some thousands.
const MOST_PAGES: usize = 100_000;

/// The most pages of a pool's users, 60 on each: Cognito's quota is forty million.
const MOST_PAGES_OF_USERS: usize = 1_000_000;

/// The pages of one list so far.
pub(crate) struct Pages {
    action: &'static str,
    most: usize,
    /// Digests of the tokens so far: there may be many long ones.
    seen: HashSet<u64>,
}

impl Pages {
    pub(super) fn of(action: &'static str) -> Self {
        Self::within(action, MOST_PAGES)
    }

    /// For a pool's users.
    pub(crate) fn of_users() -> Self {
        Self::within("cognito-idp:ListUsers", MOST_PAGES_OF_USERS)
    }

    fn within(action: &'static str, most: usize) -> Self {
        Self {
            action,
            most,
            seen: HashSet::new(),
        }
    }

    /// The token of the next page; an error if the list does not end.
    pub(super) fn next(&mut self, token: Option<String>) -> Result<Option<String>, AwsError> {
        let Some(token) = token.filter(|token| !token.is_empty()) else {
            return Ok(None);
        };
        let mut digest = DefaultHasher::new();
        token.hash(&mut digest);
        if !self.seen.insert(digest.finish()) {
            return Err(self.endless("the service gave the token of an earlier page again"));
        }
        if self.seen.len() >= self.most {
            return Err(self.endless(&format!("there are more than {} pages", self.most)));
        }
        Ok(Some(token))
    }

    fn endless(&self, why: &str) -> AwsError {
        let message = format!("the list has no end: {why}");
        failed(self.action, Kind::Refused, "endless list", message)
    }
}

/// The items of one page, and the token of the next.
pub(super) type Page<T> = (Vec<T>, Option<String>);

/// The items of all pages; none if their owner does not exist. More than `most` is an error: each item would need one or two more
/// calls. So are more pages than that: some may be empty, and a service that gives only such ones must not keep a run for hours.
pub(super) async fn all<T>(
    action: &'static str,
    most: usize,
    mut page: impl AsyncFnMut(Option<String>) -> Result<Option<Page<T>>, AwsError>,
) -> Result<Vec<T>, AwsError> {
    let mut pages = Pages::within(action, most);
    let (mut items, mut token) = (Vec::new(), None);
    while let Some((more, next)) = page(token).await? {
        items.extend(more);
        if items.len() > most {
            let message = format!("there are more than {most}, which are not all looked at");
            return Err(failed(action, Kind::Refused, "too many", message));
        }
        token = pages.next(next)?;
        if token.is_none() {
            break;
        }
    }
    Ok(items)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The list whose pages have these tokens, one item per page.
    async fn list(tokens: &[&str], most: usize) -> Result<Vec<usize>, String> {
        let mut at = 0;
        let page = async |_| {
            let next = tokens.get(at).map(|token| (*token).to_owned());
            at += 1;
            Ok(Some((vec![at], next)))
        };
        all("x:List", most, page)
            .await
            .map_err(|error| error.message)
    }

    #[tokio::test]
    async fn a_list_ends_without_a_token_or_with_an_empty_one() {
        assert_eq!(list(&["a", "b"], 9).await.unwrap(), [1, 2, 3]);
        assert_eq!(list(&["a", ""], 9).await.unwrap(), [1, 2]);
        let nothing = all::<u8>("x:List", 9, async |_| Ok(None)).await;
        assert!(nothing.unwrap().is_empty());
    }

    #[tokio::test]
    async fn empty_pages_with_new_tokens_come_to_an_end() {
        let mut asked = 0;
        let page = async |_| {
            asked += 1;
            Ok(Some((Vec::<u8>::new(), Some(asked.to_string()))))
        };
        let error = all("x:List", 9, page).await.unwrap_err().message;
        assert!(error.contains("more than 9 pages"), "{error}");
        assert_eq!(asked, 9);
    }

    #[tokio::test]
    async fn a_repeated_token_and_too_many_items_are_errors() {
        for tokens in [&["a", "a"][..], &["a", "b", "a"]] {
            let error = list(tokens, 9).await.unwrap_err();
            assert!(error.contains("token of an earlier page"), "{error}");
        }
        let error = list(&["a", "b", "c"], 3).await.unwrap_err();
        assert!(error.contains("more than 3"), "{error}");
    }

    #[test]
    fn endless_new_tokens_are_an_error() {
        let mut pages = Pages::of("x:List");
        let ended = (0..).find_map(|n: usize| pages.next(Some(n.to_string())).err());
        assert!(ended.unwrap().message.contains("100000 pages"));
    }
}
