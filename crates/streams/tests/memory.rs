//! The behaviour suite over the store in memory.

use headwater_testing::SharedMemory;

headwater_testing::behaviours!(SharedMemory::default());

#[test]
fn readers_of_a_contended_path_see_prefixes_of_the_same_streams() {
    for seed in 0..8 {
        headwater_testing::stress::contend(SharedMemory::default(), seed);
    }
}
