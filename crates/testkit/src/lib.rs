//! For tests only: an S3 protocol server in this process, over a folder, that fails on demand.

mod faults;
mod server;

pub use faults::{Class, Fault, Faults};
pub use server::S3Server;
