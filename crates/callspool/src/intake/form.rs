//! A form body as bytes: decoded for the signature before anything is believed, and as text after it.

use percent_encoding::percent_decode;

/// The decoded pairs of an `application/x-www-form-urlencoded` body, in the order they came.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Form(Vec<(Vec<u8>, Vec<u8>)>);

/// Why a form's text can't be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FormError {
    /// A name or value is not UTF-8.
    #[error("the body is not UTF-8")]
    NotUtf8,
    /// The body is neither a form nor a JSON object.
    #[error("the body is neither a form nor a JSON object")]
    NotAnObject,
    /// A name or value holds a NUL byte.
    #[error("{0} holds a NUL byte")]
    Nul(String),
    /// A field that must be single came with different values.
    #[error("{0} came more than once, with different values")]
    Repeated(String),
}

impl Form {
    /// Splits and decodes the body; any bytes can be split.
    pub fn decode(body: &[u8]) -> Self {
        let pairs = body.split(|b| *b == b'&').filter(|pair| !pair.is_empty());
        Self(
            pairs
                .map(|pair| {
                    let mut halves = pair.splitn(2, |b| *b == b'=');
                    let mut half = || decode_half(halves.next().unwrap_or_default());
                    (half(), half())
                })
                .collect(),
        )
    }

    /// The pairs as bytes, for the signature.
    pub fn pairs(&self) -> &[(Vec<u8>, Vec<u8>)] {
        &self.0
    }

    /// The first value of a field as bytes, for choosing the key of the signature.
    pub fn first(&self, name: &str) -> Option<&[u8]> {
        self.0.iter().find(|(key, _)| key == name.as_bytes()).map(|(_, value)| value.as_slice())
    }

    /// The pairs as text, whatever they hold; see [`Fields::forgiving`].
    pub fn forgiving(&self) -> Fields {
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        Fields::forgiving(self.0.iter().map(|(name, value)| (text(name), text(value))).collect())
    }

    /// The pairs as text; refuses what is not UTF-8 and NUL bytes anywhere.
    pub fn text(&self) -> Result<Fields, FormError> {
        let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).map_err(|_| FormError::NotUtf8);
        let fields: Result<Vec<_>, _> = self.0.iter().map(|(name, value)| Ok((text(name)?, text(value)?))).collect();
        Fields::new(fields?)
    }
}

fn decode_half(half: &[u8]) -> Vec<u8> {
    let spaced: Vec<u8> = half.iter().map(|b| if *b == b'+' { b' ' } else { *b }).collect();
    percent_decode(&spaced).collect()
}

/// A form's pairs as text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fields(Vec<(String, String)>);

impl Fields {
    /// Takes the pairs; refuses NUL bytes anywhere.
    pub fn new(pairs: Vec<(String, String)>) -> Result<Self, FormError> {
        match pairs.iter().find(|(name, value)| name.contains('\0') || value.contains('\0')) {
            Some((name, _)) => Err(FormError::Nul(name.replace('\0', ""))),
            None => Ok(Self(pairs)),
        }
    }

    /// The same without what can be left out of a request that must be answered whatever it holds: NUL bytes, and every
    /// value of a field but its first.
    pub fn forgiving(pairs: Vec<(String, String)>) -> Self {
        let mut fields: Vec<(String, String)> = Vec::with_capacity(pairs.len());
        for (name, value) in pairs {
            let (name, value) = (name.replace('\0', ""), value.replace('\0', ""));
            if !fields.iter().any(|(known, _)| *known == name) {
                fields.push((name, value));
            }
        }
        Self(fields)
    }

    /// The value of a single field; an empty one counts as absent. The same value twice is one value.
    pub fn get(&self, name: &str) -> Result<Option<&str>, FormError> {
        let mut values = self.0.iter().filter(|(key, _)| key == name).map(|(_, value)| value.as_str());
        let first = values.next();
        if values.any(|value| Some(value) != first) {
            return Err(FormError::Repeated(name.to_owned()));
        }
        Ok(first.filter(|value| !value.is_empty()))
    }

    /// Every pair, as it came.
    pub fn pairs(&self) -> &[(String, String)] {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decodes_like_a_browser_encodes() {
        let body = form_urlencoded::Serializer::new(String::new())
            .append_pair("From", "+1 (415) é&=")
            .append_pair("Empty", "")
            .finish();
        let fields = Form::decode(body.as_bytes()).text().expect("text");
        assert_eq!(fields.get("From"), Ok(Some("+1 (415) é&=")));
        assert_eq!(fields.get("Empty"), Ok(None));
    }

    #[test]
    fn whoever_must_be_answered_is_read_as_far_as_can_be() {
        let fields = Form::decode(b"A=x%00y&B=%E9&C=1&C=2").forgiving();
        assert_eq!(fields.get("A"), Ok(Some("xy")));
        assert_eq!(fields.get("B"), Ok(Some("\u{fffd}")));
        assert_eq!(fields.get("C"), Ok(Some("1")));
    }

    #[test]
    fn hostile_bodies_get_a_named_error() {
        assert_eq!(Form::decode(b"A=%FF").text(), Err(FormError::NotUtf8));
        assert_eq!(Form::decode(b"A=x%00").text(), Err(FormError::Nul("A".into())));
        let repeated = Form::decode(b"A=1&A=2&B=1&B=1").text().expect("text");
        assert_eq!(repeated.get("A"), Err(FormError::Repeated("A".into())));
        assert_eq!(repeated.get("B"), Ok(Some("1")));
        assert_eq!(Form::decode(b"&&=&%&%4").text().map(|fields| fields.pairs().len()), Ok(3));
    }
}
