use super::*;

#[test]
fn every_default_and_every_example_is_acceptable() {
    for setting in SETTINGS {
        for text in [setting.default, setting.example] {
            assert!(setting.kind.parse(&[text.to_owned()]).is_some(), "{}: {text:?}", setting.key);
        }
    }
}

#[test]
fn keys_are_unique_and_groups_stand_together() {
    let mut keys: Vec<_> = SETTINGS.iter().map(|setting| setting.key).collect();
    keys.sort_unstable();
    keys.dedup();
    assert_eq!(keys.len(), SETTINGS.len());
    assert!(SETTINGS.is_sorted_by_key(|setting| Group::ALL.iter().position(|group| *group == setting.group)));
}
