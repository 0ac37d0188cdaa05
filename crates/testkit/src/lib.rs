//! For tests only: an S3 protocol server in this process, over a folder or over memory, that fails on demand, and a stand-in for STS.

mod faults;
mod memory;
mod server;
mod sts;

pub use faults::{Class, Fault, Faults};
pub use memory::Memory;
pub use server::S3Server;
pub use sts::{Role, StsServer};
