//! The engine over the embedded store: the suite that every store runs, on a disk that can lose power.

use headwater_testing::Embedded;
use headwater_testing::random_operations::{check, scripts};
use proptest::prelude::*;

headwater_testing::behaviours!(Embedded::new(1));

#[test]
fn readers_of_a_contended_path_see_prefixes_of_the_same_streams() {
    for seed in 0..4 {
        headwater_testing::stress::contend(Embedded::new(seed), seed);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn random_operations_and_power_failures_are_answered_as_the_model_answers_them(
        seed in any::<u64>(),
        script in scripts(60),
    ) {
        check(Embedded::new(seed), script);
    }
}
