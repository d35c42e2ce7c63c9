//! Lists in pages, newest first, with the envelope and tokens of the 2010 API.
//!
//! A token names the last resource of the page before, so pages neither repeat nor skip while new resources come in.

use serde_json::{Value, json};

use super::rest::{Query, Refusal};

const DEFAULT_SIZE: usize = 50;
const MAX_SIZE: usize = 1000;

/// A list that can be paged: each resource's sid and its JSON, newest first.
pub(super) struct Listed {
    /// The key of the list in the envelope.
    pub(super) key: &'static str,
    /// The path it was asked at.
    pub(super) path: String,
    /// The resources.
    pub(super) items: Vec<(String, Value)>,
}

/// The page that the query asks for.
pub(super) fn page(listed: Listed, query: &Query) -> Result<Value, Refusal> {
    let size = match query.get("PageSize") {
        None => DEFAULT_SIZE,
        Some(text) => match text.parse() {
            Ok(size @ 1..=MAX_SIZE) => size,
            _ => return Err(Refusal::bad_request(20001, format!("PageSize must be 1 to {MAX_SIZE}"))),
        },
    };
    let page: usize = query.get("Page").map_or(Ok(0), str::parse).map_err(|_| invalid_token())?;
    let start = match query.get("PageToken") {
        None if page > 0 => return Err(invalid_token()),
        None => 0,
        Some(token) => {
            let after = token.strip_prefix("PA").ok_or_else(invalid_token)?;
            1 + listed.items.iter().position(|(sid, _)| sid.get(2..) == Some(after)).ok_or_else(invalid_token)?
        }
    };
    let shown = listed.items.iter().skip(start).take(size);
    let next = match shown.clone().next_back() {
        Some((sid, _)) if start + size < listed.items.len() => {
            let token = format!("PA{}", sid.get(2..).unwrap_or_default());
            Value::String(uri(&listed.path, query, size, page + 1, Some(&token)))
        }
        _ => Value::Null,
    };
    let shown: Vec<&Value> = shown.map(|(_, resource)| resource).collect();
    let first = page * size;
    let mut envelope = json!({
        "page": page,
        "page_size": size,
        "start": first,
        "end": first + shown.len().saturating_sub(1),
        "uri": uri(&listed.path, query, size, page, query.get("PageToken")),
        "first_page_uri": uri(&listed.path, query, size, 0, None),
        "next_page_uri": next,
        "previous_page_uri": if page == 0 { Value::Null } else { uri(&listed.path, query, size, 0, None).into() },
    });
    if let Some(envelope) = envelope.as_object_mut() {
        envelope.insert(listed.key.to_owned(), json!(shown));
    }
    Ok(envelope)
}

/// A page's relative address: the filters of the query, and its own place.
fn uri(path: &str, query: &Query, size: usize, page: usize, token: Option<&str>) -> String {
    let mut form = form_urlencoded::Serializer::new(String::new());
    form.extend_pairs(query.pairs().iter().filter(|(name, _)| !name.starts_with("Page")));
    form.append_pair("PageSize", &size.to_string()).append_pair("Page", &page.to_string());
    if let Some(token) = token {
        form.append_pair("PageToken", token);
    }
    format!("{path}?{}", form.finish())
}

fn invalid_token() -> Refusal {
    Refusal::bad_request(21481, "Invalid PageToken".to_owned())
}
