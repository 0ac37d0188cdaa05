//! The program as its users meet it, from outside.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::print_stderr, missing_docs)]

mod access;
mod answers;
mod api;
mod bundles;
mod column_scan;
mod compare;
mod compatibility;
mod coverage;
mod crash;
mod dice;
mod discovery;
mod event_json;
mod faults;
mod fuzz;
mod ingest;
mod limits;
mod million;
mod moto;
mod output;
mod packs;
mod plans;
mod program;
mod refusals;
mod report;
mod s3;
mod served;
mod shredded;
mod slt;
mod venv;
mod verify;
