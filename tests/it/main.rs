//! The program as its users meet it, from outside.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::print_stderr, missing_docs)]

mod answers;
mod api;
mod compatibility;
mod crash;
mod fuzz;
mod ingest;
mod limits;
mod plans;
mod program;
mod refusals;
mod s3;
mod slt;
mod venv;
