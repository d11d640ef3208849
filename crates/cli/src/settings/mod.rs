//! The configuration of `serve`: one list of options, read from four layers into one validated value.
//!
//! Every option is one row of [`table::SETTINGS`]. The flag, the environment variable, the key of the configuration
//! file, the help text and the documentation all come from that row, so none of them can be forgotten. Precedence is
//! flag, environment, file, default. Problems are collected, not thrown: an operator sees all of them at once.

mod assemble;
mod check;
#[cfg(test)]
mod document;
mod layers;
mod print;
mod setting;
mod table;
mod value;

pub(crate) use check::Config;
pub(crate) use layers::{Layers, Problem};
pub(crate) use setting::Setting;
pub(crate) use table::SETTINGS;
