//! The log over a disk in memory that fails, tears and forgets; and in a directory.

mod crashes;
mod damage;
mod directory;
mod faults;
mod memory;
mod model;
mod room;
mod version_1;
