//! Tokens that say where a listing goes on.
//!
//! A token is good for the same request only, and can't be made by others: it is signed with a secret of the server that
//! outlives restarts.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, KeyInit, Mac};
use serde_json::{Map, Value};
use sha2::Sha256;

use crate::fault::{Answer, Fault};

/// Members of an input that may differ from page to page.
const FREE: [&str; 3] = ["NextToken", "MaxResults", "MaxQueryResults"];
const TAG: usize = 16;

/// Makes and reads tokens.
#[derive(Clone)]
pub(crate) struct Tokens {
    secret: Vec<u8>,
}

impl std::fmt::Debug for Tokens {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Tokens").finish_non_exhaustive()
    }
}

impl Tokens {
    pub(crate) fn new(secret: Vec<u8>) -> Self {
        Self { secret }
    }

    fn tag(&self, place: &str, operation: &str, caller: &str, input: &Map<String, Value>) -> Option<[u8; TAG]> {
        let mut members: Vec<(&String, &Value)> =
            input.iter().filter(|(name, _)| !FREE.contains(&name.as_str())).collect();
        members.sort_by_key(|(name, _)| *name);
        let mut mac = Hmac::<Sha256>::new_from_slice(&self.secret).ok()?;
        mac.update(serde_json::to_string(&(place, operation, caller, members)).ok()?.as_bytes());
        mac.finalize().into_bytes().get(..TAG)?.try_into().ok()
    }

    /// The token for the place where the next page begins.
    pub(crate) fn token(&self, place: &str, operation: &str, caller: &str, input: &Map<String, Value>) -> String {
        let tag = self.tag(place, operation, caller, input).unwrap_or_default();
        URL_SAFE_NO_PAD.encode([&tag[..], place.as_bytes()].concat())
    }

    /// The place that the token of the input stands for; `None` for the first page.
    ///
    /// # Errors
    /// `InvalidNextTokenException` for any other text.
    pub(crate) fn place(&self, operation: &str, caller: &str, input: &Map<String, Value>) -> Answer<Option<String>> {
        let Some(Value::String(token)) = input.get("NextToken") else { return Ok(None) };
        let bytes = URL_SAFE_NO_PAD.decode(token).map_err(|_| Fault::token())?;
        let (tag, place) = bytes.split_at_checked(TAG).ok_or_else(Fault::token)?;
        let place = std::str::from_utf8(place).map_err(|_| Fault::token())?;
        if self.tag(place, operation, caller, input).is_none_or(|own| own != tag) {
            return Err(Fault::token());
        }
        Ok(Some(place.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn input(value: &Value) -> Map<String, Value> {
        value.as_object().unwrap().clone()
    }

    #[test]
    fn a_token_is_good_for_the_same_request_only() {
        let tokens = Tokens::new(b"secret".to_vec());
        let token = tokens.token("17", "ListQueries", "me", &input(&json!({"EventDataStore": "a", "MaxResults": 5})));
        let place = |operation: &str, caller: &str, store: &str, token: &str| {
            let input = input(&json!({"EventDataStore": store, "NextToken": token, "MaxResults": 9}));
            tokens.place(operation, caller, &input)
        };
        assert_eq!(place("ListQueries", "me", "a", &token), Ok(Some("17".to_owned())));
        for (operation, caller, store) in
            [("ListImports", "me", "a"), ("ListQueries", "you", "a"), ("ListQueries", "me", "b")]
        {
            assert_eq!(place(operation, caller, store, &token), Err(Fault::token()));
        }
        for token in ["", "abcd", "!!!!", &format!("{token}A"), &"x".repeat(900)] {
            assert_eq!(place("ListQueries", "me", "a", token), Err(Fault::token()), "{token}");
        }
        assert_eq!(tokens.place("ListQueries", "me", &Map::new()), Ok(None));
    }
}
