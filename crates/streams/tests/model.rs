//! The engine over the store in memory against the reference model.

use headwater_testing::SharedMemory;
use headwater_testing::random_operations::{check, scripts};
use proptest::prelude::*;

proptest! {
    #![proptest_config(ProptestConfig { cases: 128, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn random_operations_are_answered_as_the_model_answers_them(script in scripts(80)) {
        check(SharedMemory::default(), script);
    }
}
