//! The behaviour suite over the store in memory.

use headwater_testing::SharedMemory;

headwater_testing::behaviours!(SharedMemory::default());
