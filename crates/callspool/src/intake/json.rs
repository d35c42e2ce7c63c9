//! A JSON body, flattened to the fields that a form would have had.
//!
//! The signature covers the bytes, so nothing here has to be exact but the values.

use serde_json::{Map, Value};

use super::form::{Fields, FormError};

/// The object's fields as texts: `null` is no field, numbers and truths are written out, what is nested stays JSON.
pub(super) fn fields(body: &[u8]) -> Result<Fields, FormError> {
    Fields::new(pairs(body)?)
}

/// The same, as far as it can be read; see [`Fields::forgiving`].
pub(super) fn forgiving(body: &[u8]) -> Result<Fields, FormError> {
    pairs(body).map(Fields::forgiving)
}

fn pairs(body: &[u8]) -> Result<Vec<(String, String)>, FormError> {
    let object: Map<String, Value> = serde_json::from_slice(body).map_err(|_error| FormError::NotAnObject)?;
    let pairs = object.into_iter().filter_map(|(name, value)| match value {
        Value::Null => None,
        Value::String(text) => Some((name, text)),
        Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_) => Some((name, value.to_string())),
    });
    Ok(pairs.collect())
}

/// The account a body names, before anything of it is believed.
pub(super) fn account(body: &[u8]) -> Option<Vec<u8>> {
    let object: Map<String, Value> = serde_json::from_slice(body).ok()?;
    Some(object.get("AccountSid")?.as_str()?.as_bytes().to_vec())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_become_the_texts_a_form_would_hold() {
        let body =
            br#"{"AccountSid": "AC1", "RecordingDuration": 12, "Flag": true, "Nothing": null, "More": {"a": [1]}}"#;
        let fields = fields(body).expect("an object");
        let value = |name: &str| fields.get(name).expect("single").map(str::to_owned);
        assert_eq!(value("RecordingDuration").as_deref(), Some("12"));
        assert_eq!(value("Flag").as_deref(), Some("true"));
        assert_eq!(value("Nothing"), None);
        assert_eq!(value("More").as_deref(), Some(r#"{"a":[1]}"#));
        assert_eq!(account(body).as_deref(), Some(b"AC1".as_slice()));
    }

    #[test]
    fn what_is_no_object_or_holds_a_nul_gets_a_named_error() {
        for body in [&b"[1]"[..], b"", b"AccountSid=AC1", b"\xff", &[b'['; 10_000]] {
            assert_eq!(fields(body), Err(FormError::NotAnObject));
            assert_eq!(account(body), None);
        }
        assert_eq!(fields(br#"{"A": "x\u0000"}"#), Err(FormError::Nul("A".to_owned())));
    }
}
