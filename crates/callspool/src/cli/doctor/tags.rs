//! The tags of an XML document, as far as a person would read them: names and attributes, in order.
//!
//! It judges nothing: what is no XML has few tags. Comments and CDATA hold none.

/// An opening tag.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Tag {
    pub(super) name: String,
    attributes: Vec<(String, String)>,
}

impl Tag {
    pub(super) fn attribute(&self, name: &str) -> Option<&str> {
        self.attributes.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }
}

/// Every opening tag of the document.
pub(super) fn of(document: &str) -> Vec<Tag> {
    let mut tags = Vec::new();
    let mut rest = document;
    while let Some((_, after)) = rest.split_once('<') {
        rest = match after {
            comment if comment.starts_with("!--") => behind(comment, "-->"),
            data if data.starts_with("![CDATA[") => behind(data, "]]>"),
            other if other.starts_with(['/', '!', '?']) => behind(other, ">"),
            tag => read(tag, &mut tags),
        };
    }
    tags
}

fn behind<'a>(text: &'a str, end: &str) -> &'a str {
    text.split_once(end).map_or("", |(_, rest)| rest)
}

/// Reads one tag from behind its bracket; returns what follows its name and attributes.
fn read<'a>(text: &'a str, tags: &mut Vec<Tag>) -> &'a str {
    let is_name = |c: char| c.is_alphanumeric() || matches!(c, '_' | '-' | ':' | '.');
    let (name, mut rest) = text.split_at(text.find(|c| !is_name(c)).unwrap_or(text.len()));
    let mut attributes = Vec::new();
    loop {
        rest = rest.trim_start_matches(|c: char| c.is_whitespace() || c == '/');
        let (attribute, after) = rest.split_at(rest.find(|c| !is_name(c)).unwrap_or(rest.len()));
        let Some(after) = after.trim_start().strip_prefix('=').filter(|_| !attribute.is_empty()) else { break };
        let after = after.trim_start();
        let Some(quote @ ('"' | '\'')) = after.chars().next() else { break };
        let Some((value, after)) = after.strip_prefix(quote).and_then(|value| value.split_once(quote)) else { break };
        attributes.push((attribute.to_owned(), plain(value)));
        rest = after;
    }
    if !name.is_empty() {
        tags.push(Tag { name: name.to_owned(), attributes });
    }
    rest
}

/// The five names that XML knows; others stay as they are.
fn plain(value: &str) -> String {
    let named = [("&lt;", "<"), ("&gt;", ">"), ("&quot;", "\""), ("&apos;", "'"), ("&#38;", "&"), ("&amp;", "&")];
    named.iter().fold(value.to_owned(), |text, (name, sign)| text.replace(name, sign))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_attributes_are_read_and_comments_are_not() {
        let document = r#"<?xml version="1.0"?><Response><!-- <Record/> --><Start>
            <Recording a = 'x"&lt;y' recordingStatusCallback="https://h/p?a=1&amp;b=2#rc=5&amp;rp=all" empty=""/></Start>
            <Say>1 &lt; 2<![CDATA[<Dial>]]></Say></Response>"#;
        let tags = of(document);
        let names: Vec<&str> = tags.iter().map(|tag| tag.name.as_str()).collect();
        assert_eq!(names, ["Response", "Start", "Recording", "Say"]);
        let recording = &tags[2];
        assert_eq!(recording.attribute("a"), Some("x\"<y"));
        assert_eq!(recording.attribute("recordingStatusCallback"), Some("https://h/p?a=1&b=2#rc=5&rp=all"));
        assert_eq!((recording.attribute("empty"), recording.attribute("missing")), (Some(""), None));
    }

    #[test]
    fn what_is_no_xml_comes_to_an_end() {
        for text in
            ["", "<", "<a b", "<a b=", "<a b='", "<a b=c>", "<<<", "< >", "<!--", "<![CDATA[", "a<b='''>", "<é ü=\"'"]
        {
            of(text);
        }
    }
}
