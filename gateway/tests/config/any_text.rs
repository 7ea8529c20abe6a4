//! Whatever stands in the file: a configuration or a report, never a panic.

use proptest::prelude::*;

use super::example::example;
use super::{environment, parse};

/// Lines as somebody might write them, right and wrong, in any order.
fn line() -> impl Strategy<Value = String> {
    let pieces: Vec<String> = example()
        .lines()
        .map(|line| line.trim_start_matches('#').to_owned())
        .chain(
            [
                "]",
                "[",
                "= 1",
                "a = {",
                "\"\"\"",
                "'''",
                "[[a]]",
                "[a.b]",
                "a.b = [[]]",
                "\u{0}é\u{feff}",
            ]
            .map(String::from),
        )
        .collect();
    prop_oneof![4 => prop::sample::select(pieces), 1 => "\\PC{0,20}", 1 => "[\\[\\]{}=.,\"'#a-c0-9 \n]{0,12}"]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: ProptestConfig::default().cases.max(512), failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn arbitrary_text_never_panics(text in any::<String>()) {
        if let Err(problems) = parse(&text, &environment()) {
            prop_assert!(problems.to_string().ends_with('\n'));
        }
    }

    #[test]
    fn settings_in_any_order_cut_anywhere_never_panic(lines in prop::collection::vec(line(), 0..40), cut in 0_usize..4000) {
        let text = lines.join("\n");
        let cut = text.floor_char_boundary(cut.min(text.len()));
        if let Err(problems) = parse(&text[..cut], &environment()) {
            prop_assert!(problems.to_string().ends_with('\n'));
        }
    }
}
