//! Rust's names for Kafka's.

/// `KRaftVersionFeature` as `kraft_version_feature`: a word begins at a capital after anything else, and at the last of
/// several capitals.
pub fn snake(name: &str) -> String {
    let name = name.replace("KRaft", "Kraft").replace("2Pc", "2pc");
    let letters: Vec<char> = name.chars().collect();
    let mut out = String::new();
    for (index, letter) in letters.iter().enumerate() {
        let before = index.checked_sub(1).and_then(|index| letters.get(index));
        let after = letters.get(index + 1);
        let begins = letter.is_uppercase()
            && before.is_some_and(|before| {
                !before.is_uppercase() || after.is_some_and(|after| after.is_lowercase())
            });
        if begins || (letter.is_ascii_digit() && name.contains("2pc")) {
            out.push('_');
        }
        out.extend(letter.to_lowercase());
    }
    out
}

/// The name of a field, which may be one of Rust's words.
pub fn field(name: &str) -> String {
    let name = snake(name);
    match name.as_str() {
        "type" | "match" | "ref" | "move" | "use" | "in" => format!("r#{name}"),
        _ => name,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_told_apart_by_their_capitals() {
        for (kafka, rust) in [
            ("TopicId", "topic_id"),
            ("ISRChange", "isr_change"),
            ("KRaftVersion", "kraft_version"),
            ("Enable2Pc", "enable_2pc"),
            ("offset", "offset"),
        ] {
            assert_eq!(snake(kafka), rust);
        }
        assert_eq!(field("Type"), "r#type");
    }
}
