//! TwiML: instructions for a call, written so that no text in them can become an instruction
//! (<https://www.twilio.com/docs/voice/twiml>).

use std::fmt::Write as _;

/// A document that is being written.
pub(super) struct Twiml(String);

impl Twiml {
    pub(super) fn new() -> Self {
        Self("<?xml version=\"1.0\" encoding=\"UTF-8\"?><Response>".to_owned())
    }

    /// Opens an element; [`Twiml::close`] ends it.
    pub(super) fn open(&mut self, name: &str, attributes: &[(&str, &str)]) -> &mut Self {
        self.0.push('<');
        self.0.push_str(name);
        for (attribute, value) in attributes {
            // Writing into a String can't fail.
            write!(self.0, " {attribute}=\"{}\"", escaped(value)).unwrap_or_default();
        }
        self.0.push('>');
        self
    }

    /// Writes text.
    pub(super) fn text(&mut self, text: &str) -> &mut Self {
        self.0.push_str(&escaped(text));
        self
    }

    pub(super) fn close(&mut self, name: &str) -> &mut Self {
        write!(self.0, "</{name}>").unwrap_or_default();
        self
    }

    pub(super) fn finish(self) -> String {
        self.0 + "</Response>"
    }
}

/// Text for an element or an attribute. What XML 1.0 can't hold at all is left out
/// (<https://www.w3.org/TR/xml/#charsets>).
fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&apos;"),
            '\t' | '\n' | '\r' => write!(escaped, "&#{};", u32::from(c)).unwrap_or_default(),
            '\0'..='\u{1f}' | '\u{fffe}' | '\u{ffff}' => {}
            c => escaped.push(c),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn markup_and_line_ends_are_text() {
        assert_eq!(escaped("a<b>&\"c'\n\u{0}\u{1b}"), "a&lt;b&gt;&amp;&quot;c&apos;&#10;");
    }

    proptest! {
        #[test]
        fn no_text_leaves_its_place(text in any::<String>()) {
            let mut twiml = Twiml::new();
            twiml.open("Say", &[("voice", &text)]).text(&text).close("Say");
            let document = twiml.finish();
            prop_assert_eq!(document.matches('<').count(), 5);
            prop_assert_eq!(document.matches('>').count(), 5);
            prop_assert_eq!(document.matches('"').count(), 6);
            prop_assert!(!document.chars().any(|c| c < ' '));
        }
    }
}
