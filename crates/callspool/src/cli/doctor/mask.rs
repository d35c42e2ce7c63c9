//! Telephone numbers, so that whoever owns them recognises them and nobody else learns them.

/// The fewest digits of a telephone number.
const FEWEST: usize = 7;

/// Every number with a plus in a text, with its middle left out.
pub(super) fn numbers(text: &str) -> String {
    let mut parts = text.split('+');
    let mut masked = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let end = part.find(|c: char| !c.is_ascii_digit()).unwrap_or(part.len());
        let (digits, rest) = part.split_at(end);
        masked.push('+');
        masked.push_str(&if digits.len() < FEWEST { digits.to_owned() } else { middle_out(digits) });
        masked.push_str(rest);
    }
    masked
}

/// A telephone number, in whatever form it is.
pub(super) fn number(number: &str) -> String {
    match number.strip_prefix('+') {
        Some(digits) => format!("+{}", middle_out(digits)),
        None => middle_out(number),
    }
}

fn middle_out(digits: &str) -> String {
    let all: Vec<char> = digits.chars().collect();
    let first: String = all.iter().take(all.len().min(3)).collect();
    let last: String = all.iter().skip(all.len().saturating_sub(2).max(3)).collect();
    format!("{first}…{last}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_a_number_three_digits_and_the_last_two_are_left() {
        assert_eq!(number("+14155550199"), "+141…99");
        assert_eq!(number("4155550199"), "415…99");
        assert_eq!(number("911"), "911…");
        assert_eq!(numbers("call +14155550199, not +1 or a+b"), "call +141…99, not +1 or a+b");
    }
}
